"""Read the text in a stream with an ONNX model, and print what is new.

    python3 read_text.py INPUT [FRAMES_A_SECOND]

The models come with the package rapidocr-onnxruntime. A live stream never waits for them: the
newest frame is read next, and those in between are dropped.
"""

import sys

from rapidocr_onnxruntime import RapidOCR

import frameloom


def main() -> None:
    source, *rate = sys.argv[1:]
    reader = RapidOCR()
    before: set[str] = set()
    with frameloom.open(source, pix_fmt="bgr24", rate=rate[0] if rate else 1) as video:
        for frame in video:
            found, _ = reader(frame.image)
            texts = {text for _, text, _ in found or []}
            for text in sorted(texts - before):
                print(f"{frame.time:8.2f} s  {text}", flush=True)
            before = texts


if __name__ == "__main__":
    main()
