"""Eight live streams into one model: each stream's rate, and the time from sending a frame to its answer.

    streams.py [--check] [--seconds N] --frameloom PROGRAM FILM

Each stream is the film at 540p24, published to a media server of Frameloom's by PyAV, with each frame's
number in its picture. The model is made up: it takes 20 ms for a batch. In the middle one stream's
publisher is gone for two seconds. With --check the exit status tells whether the project's bounds hold.
"""

import argparse
import math
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time

import av
import numpy as np

STREAMS = 8
RATE = 24
# Frames from one keyframe to the next.
GOP = 24
# So many frames are published again and again: a frame is known by its number among them.
FRAMES = 240
SIZE = (960, 540)
MODEL_S = 0.02
TENSOR = (640, 360)
# The number stands in squares, the lowest bit first.
SQUARE = 48
BITS = 8
LOST = 3
GONE_S = 2.0
START_S = 5.0
WARM_UP_S = 3.0

MOST_P99_MS = 120.0
LEAST_RATE = 0.98


def make_source(film, path):
    """Encode the film at 540p24, with each frame's number in its picture."""
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "veryfast", "bf": "0", "g": str(GOP), "sc_threshold": "0"}
        number = 0
        while number < FRAMES:
            with av.open(film) as source:
                for frame in source.decode(video=0):
                    if number == FRAMES:
                        break
                    array = frame.to_ndarray(format="rgb24", width=SIZE[0], height=SIZE[1])
                    for bit in range(BITS):
                        left = bit * SQUARE
                        array[:SQUARE, left : left + SQUARE] = 255 * (number >> bit & 1)
                    made = av.VideoFrame.from_ndarray(array, format="rgb24")
                    out.mux(stream.encode(made))
                    number += 1
        out.mux(stream.encode(None))


def number_of(tensor):
    """Read a frame's number in its tensor."""
    side = SQUARE * TENSOR[0] // SIZE[0]
    middle = side // 2
    bits = tensor[1, middle, middle : middle + side * BITS : side] > 0.5
    return int(bits @ (1 << np.arange(BITS)))


def packets(source):
    """Yield the film's packets, again and again."""
    while True:
        source.seek(0)
        yield from (packet for packet in source.demux(video=0) if packet.dts is not None)


def publish(number, url, path, sent, begin, breaks):
    """Publish one stream for ever, but for the break."""

    def due(count):
        # As with cameras, neither frames nor keyframes of all streams come at once.
        return begin + (count + number * (RATE + 1) / STREAMS) / RATE

    first = 0
    for until in (begin + breaks[0] if number == LOST else math.inf, math.inf):
        with av.open(path) as source, av.open(url, "w", format="flv") as out:
            stream = out.add_stream_from_template(source.streams.video[0])
            for count, packet in enumerate(packets(source)):
                if count < first:
                    continue
                time.sleep(max(0.0, due(count) - time.monotonic()))
                if time.monotonic() >= until:
                    break
                packet.pts = packet.dts = round((count - first) / RATE / packet.time_base)
                packet.stream = stream
                sent[number * FRAMES + count % FRAMES] = time.monotonic()
                out.mux(packet)
        time.sleep(breaks[1])
        # A stream begins with a keyframe.
        while due(first) < time.monotonic():
            first += GOP


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def measure(url, sent, begin, seconds):
    """Return (stream, when it was answered, seconds since it was sent) of each frame."""
    import frameloom

    answers = []
    until = begin + WARM_UP_S + seconds
    with frameloom.open_all([f"{url}{n}" for n in range(STREAMS)]) as streams:
        for batch in streams.batches(size=STREAMS, wait=0.02):
            tensor, _ = batch.tensor(TENSOR, fit="stretch")
            time.sleep(MODEL_S)
            now = time.monotonic()
            if now >= until:
                break
            for frame, one in zip(batch, tensor, strict=True):
                number = frame.stream.number
                at = sent[number * FRAMES + number_of(one)]
                if now >= begin + WARM_UP_S:
                    answers.append((number, now, now - at))
    return answers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, help="without effect: it is one long round")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--frameloom", required=True)
    parser.add_argument("film")
    args = parser.parse_args()
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/"
    processes = multiprocessing.get_context("spawn")
    sent = processes.RawArray("d", STREAMS * FRAMES)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "source.mp4")
        make_source(args.film, path)
        words = [args.frameloom, "serve", "--rtmp-listen", f"127.0.0.1:{port}"]
        words += ["--http-listen", f"127.0.0.1:{free_port()}", "-v", "error"]
        server = subprocess.Popen(words)
        begin = time.monotonic() + START_S
        breaks = (WARM_UP_S + args.seconds / 2, GONE_S)
        # Of one process each, so that none is held up by another's connecting.
        publishers = [
            processes.Process(target=publish, args=(n, f"{url}{n}", path, sent, begin, breaks))
            for n in range(STREAMS)
        ]
        try:
            for publisher in publishers:
                publisher.start()
            answers = measure(url, sent, begin, args.seconds)
        finally:
            for publisher in publishers:
                publisher.kill()
            server.terminate()
            server.wait()
    gone = begin + breaks[0]
    failed = False
    print(f"{'stream':>8} {'frames/s':>10} {'median ms':>10} {'p99 ms':>8} {'longest gap ms':>15}")
    for number in range(STREAMS):
        found = [(at, took) for one, at, took in answers if one == number]
        took = [1000 * one for _, one in found]
        seconds = args.seconds
        gaps = np.diff([at for at, _ in found])
        if number == LOST:
            after = [at for at, _ in found if at > gone + 0.5]
            failed |= not after
            seconds -= after[0] - gone if after else 0
            gaps = gaps[gaps < GONE_S - 0.5]
        rate = len(found) / seconds
        failed |= rate < LEAST_RATE * RATE
        row = f"{number:8} {rate:10.2f} {np.median(took):10.1f} {np.percentile(took, 99):8.1f}"
        note = f"  gone for {GONE_S:g} s" if number == LOST else ""
        print(f"{row} {1000 * max(gaps):15.1f}{note}")
    all_ms = [1000 * took for _, _, took in answers]
    p99 = np.percentile(all_ms, 99)
    failed |= p99 > MOST_P99_MS
    print(f"all: median {np.median(all_ms):.1f} ms, p99 {p99:.1f} ms, at most {MOST_P99_MS:g} ms")
    if args.check and failed:
        sys.exit("a bound is exceeded")


if __name__ == "__main__":
    main()
