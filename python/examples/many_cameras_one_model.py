"""Look for the brightest place of many cameras by one model, and publish each with a box round it.

    python3 many_cameras_one_model.py rtmp://HOST/live/found- rtmp://HOST/live/1 ...

All cameras share one model: it gets the newest frame of each in one batch, and none waits for one
that is lost. The outputs are called by the first argument and their numbers, from 0.
"""

import sys

import numpy as np
import numpy.typing as npt

import frameloom

TILE = 32


def model(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Stand for yours: (n, 3, height, width) to (n, 5), a box and how bright it is."""
    count, _, height, width = batch.shape
    tiles = batch.reshape(count, 3, height // TILE, TILE, width // TILE, TILE).mean((1, 3, 5))
    best = tiles.reshape(count, -1).argmax(1)
    top, left = (np.stack(np.unravel_index(best, tiles.shape[1:])) * TILE).astype(np.float32)
    return np.stack([left, top, left + TILE, top + TILE, tiles.reshape(count, -1).max(1)], 1)


def main() -> None:
    target, *cameras = sys.argv[1:]
    with frameloom.open_all(cameras) as streams:
        for stream in streams:
            stream.output(f"{target}{stream.number}{'' if '://' in target else '.mp4'}")
        for batch in streams.batches(size=8, wait=0.02):
            tensor, transforms = batch.tensor((640, 384))
            for frame, transform, found in zip(batch, transforms, model(tensor), strict=True):
                frame.draw.box(transform.to_frame(found[:4]), f"{found[4]:.2f}")
                frame.write()
        for stream in streams:
            if stream.error:
                print(f"camera {stream.number}: {stream.error}", file=sys.stderr)


if __name__ == "__main__":
    main()
