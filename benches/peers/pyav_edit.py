"""The same edit by PyAV.

    pyav_edit.py INPUT OUTPUT
"""

import sys

import av

source, target = sys.argv[1:]
with av.open(source) as reader, av.open(target, "w") as writer:
    decoder = reader.streams.video[0]
    decoder.thread_count = 1
    encoder = writer.add_stream("libx264", rate=25)
    encoder.width, encoder.height, encoder.pix_fmt = decoder.width, decoder.height, "yuv420p"
    encoder.thread_count = 1
    encoder.options = {"preset": "veryfast", "tune": "zerolatency"}
    for frame in reader.decode(decoder):
        image = frame.to_ndarray(format="rgb24")
        image[10:50, 10:200] = 255
        edited = av.VideoFrame.from_ndarray(image, format="rgb24")
        edited.pts, edited.time_base = frame.pts, frame.time_base
        writer.mux(encoder.encode(edited))
    writer.mux(encoder.encode(None))
