"""Write SPEECH into the picture while somebody speaks.

python3 speech.py INPUT OUTPUT silero_vad.onnx (the package silero-vad has the model in it)
"""

import sys

import numpy as np
import onnxruntime

import frameloom

RATE, WINDOW, CONTEXT = 16000, 512, 64  # the model reads 32 ms, and 4 ms before them


class _Voice:
    """Says when there is speech in sound."""

    def __init__(self, path: str) -> None:
        self.model = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.state = np.zeros((2, 1, 128), np.float32)
        self.waiting = np.zeros(CONTEXT, np.float32)
        self.windows: list[tuple[float, bool]] = []  # when each ends, and whether it is speech

    def hear(self, sound: frameloom.AudioFrame) -> None:
        at = np.arange(round(sound.duration * RATE)) * (sound.rate / RATE)
        heard = np.interp(at, np.arange(sound.samples), sound.array.mean(axis=1))
        self.waiting = np.concatenate([self.waiting, heard.astype(np.float32)])
        while len(self.waiting) >= CONTEXT + WINDOW:
            given = {"input": self.waiting[None, : CONTEXT + WINDOW], "state": self.state}
            given["sr"] = np.array(RATE, np.int64)
            likely, self.state = self.model.run(None, given)
            self.waiting = self.waiting[WINDOW:]
            end = sound.time + sound.duration - len(self.waiting) / RATE
            self.windows.append((end, bool(likely[0, 0] > 0.5)))

    def speaks(self, time: float) -> bool:
        # Sound is read somewhat before the pictures that it belongs to.
        while len(self.windows) > 1 and self.windows[0][0] < time:
            del self.windows[0]
        return bool(self.windows) and self.windows[0][1]


def main() -> None:
    source, target, model = sys.argv[1:]
    voice, count = _Voice(model), 0
    with frameloom.open(source) as video, video.output(target) as out:
        for frame in video:
            for sound in video.audio_frames:
                voice.hear(sound)
            if voice.speaks(frame.time):
                frame.draw.text((10, 10), "SPEECH", size=32, background="black@0.6")
                count += 1
            out.write(frame)
    print(f"speech in {count} frames")


if __name__ == "__main__":
    main()
