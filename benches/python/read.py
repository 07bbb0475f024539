"""Time per frame of reading a film into numpy arrays, each way in a process of its own.

    read.py [--check] [--rounds N] FILM

The rounds are interleaved, so that what else the machine does meets all ways. Each way reads every
frame as (height, width, 3) RGB in uint8 (OpenCV: BGR, its own order) that the caller may change,
with its library's defaults, and touches each array. A time is that of the whole loop, without
starting Python and importing. With --check the exit status tells whether ours is the fastest.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time


def frameloom(film):
    import frameloom

    for frame in frameloom.open(film):
        yield frame.array


def pyav(film):
    import av

    with av.open(film) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def pyav_threads(film):
    import av

    with av.open(film) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def opencv(film):
    import cv2

    capture = cv2.VideoCapture(film)
    while True:
        read, array = capture.read()
        if not read:
            return
        yield array


def moviepy(film):
    from moviepy import VideoFileClip

    with VideoFileClip(film, audio=False) as clip:
        for array in clip.iter_frames(dtype="uint8"):
            yield array.copy()  # it gives what may not be changed


def recipe(film):
    import numpy as np

    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", film, "-f", "image2pipe"]
    command += ["-pix_fmt", "rgb24", "-vcodec", "rawvideo", "-"]
    size = 1920 * 1080 * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=size) as reader:
        while len(data := reader.stdout.read(size)) == size:
            yield np.frombuffer(data, np.uint8).reshape(1080, 1920, 3).copy()


WAYS = {
    "frameloom": frameloom,
    "PyAV": pyav,
    "PyAV, AUTO": pyav_threads,
    "OpenCV": opencv,
    "moviepy": moviepy,
    "the recipe": recipe,
}


def measure(name, film):
    """Prints frames, seconds and CPU seconds of one way."""
    way = WAYS[name]
    next(iter(way(film)))  # imports, and the film into the page cache
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    before = sum(u.ru_utime + u.ru_stime for u in used)
    start, frames, seen = time.perf_counter(), 0, 0
    for array in way(film):
        frames += 1
        array[0, 0] = 1
        seen += int(array[-1, -1, 0])
    seconds = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(frames, seconds, sum(u.ru_utime + u.ru_stime for u in used) - before)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way")
    parser.add_argument("film")
    args = parser.parse_args()
    if args.way:
        measure(args.way, args.film)
        return
    wall = {name: [] for name in WAYS}
    cpu = {name: [] for name in WAYS}
    counts = {}
    for number in range(args.rounds):
        for name in WAYS:
            command = [sys.executable, __file__, "--way", name, args.film]
            output = subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True)
            frames, seconds, used = output.split()
            counts[name] = int(frames)
            wall[name].append(1000 * float(seconds) / int(frames))
            cpu[name].append(1000 * float(used) / int(frames))
        print(f"round {number + 1} of {args.rounds} done", file=sys.stderr)
    print(f"{os.cpu_count()} cores; per frame, median of {args.rounds} rounds")
    print(f"{'':12} {'ms':>8} {'CPU ms':>8} {'frames/s':>9} {'frames':>7}")
    for name in WAYS:
        ms = statistics.median(wall[name])
        print(f"{name:12} {ms:8.2f} {statistics.median(cpu[name]):8.2f}"
              f" {1000 / ms:9.0f} {counts[name]:7}")
    ours = statistics.median(wall["frameloom"])
    slower = [name for name in WAYS if name != "frameloom" and statistics.median(wall[name]) <= ours]
    if args.check and slower:
        sys.exit(f"faster than frameloom: {', '.join(slower)}")


if __name__ == "__main__":
    main()
