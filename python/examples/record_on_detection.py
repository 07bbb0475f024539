"""Record each event of a stream, with the seconds before it.

    python3 record_on_detection.py INPUT FOLDER [SECONDS_BEFORE [SECONDS_AFTER]]

An event is that something moves. What is recorded is the stream as it came, with its sound:
nothing is encoded, and no frame is missing, however slow the detection is.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

import frameloom

STEP = 12  # levels that are more than noise
SHARE = 0.01  # of the picture that moves in an event


def moving(now: npt.NDArray[np.int16], before: npt.NDArray[np.int16] | None) -> bool:
    """Whether enough of the picture has changed: your model stands here."""
    return before is not None and float((np.abs(now - before) > STEP).mean()) > SHARE


def main() -> None:
    source, folder = sys.argv[1], Path(sys.argv[2])
    before = float(sys.argv[3]) if len(sys.argv) > 3 else 5.0
    after = float(sys.argv[4]) if len(sys.argv) > 4 else 5.0
    event: frameloom.Output | None = None
    seen = 0.0
    count = 0
    last: npt.NDArray[np.int16] | None = None
    with frameloom.open(source, pix_fmt="gray", size=(128, 72), preroll=before + 5) as video:
        for frame in video:
            now = frame.image.astype(np.int16)
            is_event, last = moving(now, last), now
            if is_event:
                seen = frame.time
            if is_event and event is None:
                count += 1
                event = video.output(folder / f"event-{count}.mp4", preroll=before)
                print(f"{frame.time:.2f} s: event {count} begins", flush=True)
            elif event is not None and frame.time - seen > after:
                event.close()
                event = None
                print(f"{frame.time:.2f} s: event {count} is over", flush=True)


if __name__ == "__main__":
    main()
