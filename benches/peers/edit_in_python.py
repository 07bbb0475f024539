"""The same edit by the Python package.

edit_in_python.py INPUT OUTPUT
"""

import sys

import frameloom


def edit(image):
    image[10:50, 10:200] = 255


source, target = sys.argv[1:]
settings = {"c:v": "libx264", "preset": "veryfast", "tune": "zerolatency", "threads": 1, "an": ""}
frameloom.run(source, target, edit, options={"threads": 1}, output={"options": settings})
