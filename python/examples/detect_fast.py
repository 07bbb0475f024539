"""Draw what a model finds, at the camera's full rate however slow the model is.

    python3 detect_fast.py MODEL.onnx INPUT OUTPUT

The model works on a thread of its own, on the newest frame that was read. What it found last is
drawn on every frame.
"""

import sys
import threading

import frameloom
from frameloom.detect import Detections, Detector


class Newest:
    """What the model found last."""

    def __init__(self, video: frameloom.Video, detector: Detector) -> None:
        self.detections, self.count = Detections(), 0
        self.video, self.detector = video, detector
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        """Look at the newest frame, again and again."""
        while (frame := self.video.latest()) is not None:
            self.detections = self.detector(frame)
            self.count += 1


def main() -> None:
    model, source, target = sys.argv[1:]
    detector = Detector(model)
    print(detector.summary)
    frames = 0
    with frameloom.open(source) as video, video.output(target) as out:
        newest = Newest(video, detector)
        newest.thread.start()
        for frame in video:
            newest.detections.draw(frame)
            out.write(frame)
            frames += 1
    newest.thread.join()
    print(f"{frames} frames, {newest.count} of them seen by the model")


if __name__ == "__main__":
    main()
