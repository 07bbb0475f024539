"""CPU time of making what a model reads out of a film, each way in a process of its own.

    models.py [--check] [--rounds N] FILM

The rounds are interleaved, so that what else the machine does meets all ways, and the lowest time of each
counts: what else the machine does can only add to it. A time is the CPU time of the whole process, with its
threads, less that of starting Python and importing: what a first frame costs.
Ratios are to `decode`, which decodes the film and looks at no pixel. With --check the exit status tells
whether the project's bounds hold.
"""

import argparse
import resource
import statistics
import subprocess
import sys

SIZE = (640, 360)
SIDE = 640


def ours(film, use, **options):
    import frameloom

    with frameloom.open(film, **options) as video:
        for frame in video:
            use(frame)
            yield


def decode(film):
    return ours(film, lambda frame: None)


def tensor(film):
    import numpy as np

    out = np.empty((1, 3, SIZE[1], SIZE[0]), np.float32)
    return ours(film, lambda frame: frame.tensor(SIZE, fit="stretch", out=out))


def letterbox(film):
    import numpy as np

    out = np.empty((1, 3, SIDE, SIDE), np.float32)
    return ours(film, lambda frame: frame.tensor(SIDE, out=out))


def new_arrays(film):
    return ours(film, lambda frame: frame.tensor(SIDE))


def read_small(film):
    return ours(film, lambda frame: frame.array, size=SIZE)


def read_rgb(film):
    return ours(film, lambda frame: frame.array)


def opencv(film, use):
    import cv2

    capture = cv2.VideoCapture(film)
    while True:
        read, array = capture.read()
        if not read:
            return
        use(array)
        yield


def opencv_blob(film):
    import cv2

    return opencv(film, lambda array: cv2.dnn.blobFromImage(array, 1 / 255, SIZE, swapRB=True))


def opencv_letterbox(film):
    import cv2

    def use(array):
        height, width = array.shape[:2]
        factor = SIDE / max(height, width)
        size = round(width * factor), round(height * factor)
        small = cv2.resize(array, size, interpolation=cv2.INTER_LINEAR)
        above, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
        below, right = SIDE - size[1] - above, SIDE - size[0] - left
        border = cv2.BORDER_CONSTANT, None, (114, 114, 114)
        small = cv2.copyMakeBorder(small, above, below, left, right, *border)
        return cv2.dnn.blobFromImage(small, 1 / 255, swapRB=True)

    return opencv(film, use)


def opencv_small(film):
    import cv2

    return opencv(film, lambda array: cv2.resize(array, SIZE))


def opencv_read(film):
    return opencv(film, lambda array: None)


def pyav(film, use):
    import av

    with av.open(film) as container:
        for frame in container.decode(video=0):
            use(frame)
            yield


def pyav_tensor(film):
    import numpy as np

    def use(frame):
        array = frame.to_ndarray(format="rgb24", width=SIZE[0], height=SIZE[1])
        return np.ascontiguousarray(array.transpose(2, 0, 1)[None], dtype=np.float32) / 255

    return pyav(film, use)


def pyav_letterbox(film):
    """As supervision, which many models' examples use, makes it."""
    import numpy as np
    import supervision

    def use(frame):
        array = frame.to_ndarray(format="rgb24")
        array = supervision.letterbox_image(array, (SIDE, SIDE), color=(114, 114, 114))
        return np.ascontiguousarray(array.transpose(2, 0, 1)[None], dtype=np.float32) / 255

    return pyav(film, use)


def pyav_small(film):
    def use(frame):
        return frame.to_ndarray(format="rgb24", width=SIZE[0], height=SIZE[1])

    return pyav(film, use)


def pyav_rgb(film):
    return pyav(film, lambda frame: frame.to_ndarray(format="rgb24"))


WAYS = [
    decode,
    tensor,
    opencv_blob,
    pyav_tensor,
    letterbox,
    new_arrays,
    opencv_letterbox,
    pyav_letterbox,
    read_small,
    opencv_small,
    pyav_small,
    read_rgb,
    opencv_read,
    pyav_rgb,
]
# What a way may take at most of another.
BOUNDS = [
    (tensor, decode, 1.2),
    (tensor, opencv_blob, 0.65),
    (letterbox, decode, 1.2),
    (letterbox, opencv_letterbox, 0.65),
    (read_small, decode, 1.12),
    (read_rgb, decode, 1.15),
]


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(name, film):
    """Prints frames and CPU seconds of one way."""
    way = next(way for way in WAYS if way.__name__ == name)
    next(iter(way(film)))
    before, frames = cpu_s(), 0
    for _ in way(film):
        frames += 1
    print(frames, cpu_s() - before)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--way")
    parser.add_argument("film")
    args = parser.parse_args()
    if args.way:
        measure(args.way, args.film)
        return
    cpu = {way: [] for way in WAYS}
    for number in range(args.rounds):
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way.__name__, args.film]
            output = subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True)
            frames, used = output.split()
            cpu[way].append(1000 * float(used) / int(frames))
        print(f"round {number + 1} of {args.rounds} done", file=sys.stderr)

    def ratio(way, to, of=min):
        return of(cpu[way]) / of(cpu[to])

    print(f"CPU time per frame, lowest of {args.rounds} rounds")
    print(f"{'':18} {'ms':>8} {'ratio':>8} {'of medians':>11}")
    for way in WAYS:
        of_medians = ratio(way, decode, statistics.median)
        print(f"{way.__name__:18} {min(cpu[way]):8.2f} {ratio(way, decode):8.3f} {of_medians:11.3f}")
    failed = False
    for way, to, most in BOUNDS:
        found = ratio(way, to)
        failed |= found > most
        print(f"{way.__name__} / {to.__name__}: {found:.3f}, at most {most}")
    if args.check and failed:
        sys.exit("a bound is exceeded")


if __name__ == "__main__":
    main()
