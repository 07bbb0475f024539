"""CPU time of each way to do something over the floor, what ffmpeg itself takes for it.

    measure.py [--check] [--rounds N] NAME=COMMAND...

Each COMMAND is a shell line in which {out} stands for its output file; the one called `floor`
is what the others are divided by. The runs are interleaved, so that what else the machine does
meets all of them, and the lowest time of each counts: what else the machine does can only add to
it. With --check the exit status tells whether the project's bounds hold.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

BOUNDS = {
    "tenth": 1.03,
    "closure": 1.06,
    "boxes": 1.02,
    "python": 1.08,
    "command": 1.34,
    "shm": 1.12,
    "wall": 1.05,
}


def cpu_s(line, name, folder):
    """Runs a shell line and returns the CPU seconds (user and system) of all it started."""
    out = os.path.join(folder, name + ".mkv")
    if os.path.exists(out):
        os.remove(out)
    before = os.times()
    subprocess.run(["sh", "-ec", line.format(out=out)], check=True, stdin=subprocess.DEVNULL)
    after = os.times()
    probe = "ffprobe -v error -count_packets -select_streams v -show_entries"
    probe = probe.split() + ["stream=nb_read_packets", "-of", "csv=p=0", out]
    frames = int(subprocess.check_output(probe).split()[0])
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system, frames


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("ways", nargs="+")
    args = parser.parse_args()
    ways = dict(way.split("=", 1) for way in args.ways)

    seconds = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.rounds + 1):
            counts = set()
            for name, line in ways.items():
                used, frames = cpu_s(line, name, folder)
                counts.add(frames)
                if number:  # the first round only warms up
                    seconds[name].append(used)
            if len(counts) != 1:
                sys.exit(f"not the same work: {sorted(counts)} frames")
            print(f"round {number} of {args.rounds} done", file=sys.stderr)

    print(f"{'':10} {'CPU s':>8} {'ratio':>8} {'bound':>8} {'of medians':>11}")
    failed = False
    floor = seconds["floor"]
    for name, used in seconds.items():
        ratio, bound = min(used) / min(floor), BOUNDS.get(name)
        failed |= bound is not None and ratio > bound
        of_medians = statistics.median(used) / statistics.median(floor)
        print(f"{name:10} {min(used):8.2f} {ratio:8.3f} {bound or '':>8} {of_medians:11.3f}")
    if args.check and failed:
        sys.exit("a bound is exceeded")


if __name__ == "__main__":
    main()
