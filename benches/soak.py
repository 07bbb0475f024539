#!/usr/bin/env python3
"""Ten minutes of a live pipeline among faults, in real time. Not part of the tests.

    script/soak [SECONDS]        600 unless told; a build by `cargo build --release` comes first

`frameloom serve`, a camera (the ffmpeg program), a pipeline with a COMMAND from the server to the
server, and a reader. Every 20 to 40 s something breaks: the camera is killed or frozen, a
connection is closed, reset, stalled, throttled, delayed, corrupted or refused, the command is
killed. Every 10 s a line tells memory, file descriptors and threads of the pipeline and of the
server, and the latency. It fails where one of them grows, where the reader's times ever stand
still or step back, where it saw a gap that no fault of the output explains, and where the
pipeline ends. The faults come from the seed FRAMELOOM_TEST_SEED, which is printed.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import struct
import socket
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("FRAMELOOM", os.path.join(ROOT, "target/release/frameloom"))
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 600
SEED = int(os.environ.get("FRAMELOOM_TEST_SEED", time.time_ns() % 1_000_000))
CHOICE = random.Random(SEED)

# What a reader may wait for the next packet, where nothing is wrong with the output.
GAP_S = 2.0
# What may be there at the end beyond what was there in the middle.
MEMORY_MIB, DESCRIPTORS, THREADS = 24, 6, 3

COMMAND = """import os, sys
size = int(os.environ["FRAMELOOM_FRAME_BYTES"])
row = int(os.environ["FRAMELOOM_WIDTH"]) * 3
while data := sys.stdin.buffer.read(size):
    sys.stdout.buffer.write(bytes(row) + data[row:])
    sys.stdout.buffer.flush()
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Proxy:
    """A TCP proxy whose bytes towards `broken` (0: to the target, 1: back) can be broken."""

    def __init__(self, target, broken):
        self.target, self.broken = target, broken
        self.port = free_port()
        self.links = set()
        self.heal_faults()

    def heal_faults(self):
        self.stalled = False
        self.delay_s = 0.0
        self.bytes_per_s = None
        self.corrupt = 0.0

    async def listen(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.port)

    async def refuse(self):
        self.server.close()

    async def heal(self):
        self.heal_faults()
        if not self.server.is_serving():
            await self.listen()

    def end(self, reset):
        for writer in list(self.links):
            if reset:
                linger = struct.pack("ii", 1, 0)
                one = writer.get_extra_info("socket")
                if one is not None:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            else:
                writer.close()

    async def accept(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        pair = {writer, far_writer}
        self.links |= pair
        ways = [(0, reader, far_writer), (1, far_reader, writer)]
        done = [asyncio.ensure_future(self.carry(*way)) for way in ways]
        await asyncio.wait(done)
        self.links -= pair
        for one in pair:
            one.close()

    async def carry(self, way, reader, writer):
        passed = 0
        try:
            while data := await reader.read(16384):
                if way == self.broken:
                    while self.stalled:
                        await asyncio.sleep(0.02)
                    if self.delay_s:
                        await asyncio.sleep(self.delay_s)
                    if self.corrupt and passed > 3200:
                        wrong = bytearray(data)
                        for at in range(len(wrong)):
                            if CHOICE.random() < self.corrupt:
                                wrong[at] ^= CHOICE.randint(1, 255)
                        data = bytes(wrong)
                    if self.bytes_per_s:
                        await asyncio.sleep(len(data) / self.bytes_per_s)
                passed += len(data)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Camera:
    def __init__(self, film, url):
        self.film, self.url = film, url

    async def start(self):
        words = ["-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", self.film]
        words += ["-c", "copy", "-f", "flv", self.url]
        self.process = await asyncio.create_subprocess_exec("ffmpeg", *words)

    async def kill(self):
        self.process.kill()
        await self.process.wait()


class Reader:
    """Reads the output again and again, and looks at the times of its packets."""

    def __init__(self, url):
        self.url = url
        self.packets = 0
        self.parts = 0
        self.faults = []
        self.last_dts = {}
        self.last_packet = None
        # Until then a gap is the doing of a fault of the output.
        self.excused_until = 0.0

    async def run(self):
        while True:
            words = ["-v", "error", "-nostdin", "-copyts", "-i", self.url, "-map", "0"]
            words += ["-c", "copy", "-flush_packets", "1", "-f", "framecrc", "-"]
            process = await asyncio.create_subprocess_exec(
                "ffmpeg", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                had = self.packets
                async for line in process.stdout:
                    self.see(line.decode())
                self.parts += self.packets > had
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
            await asyncio.sleep(0.2)

    def see(self, line):
        if line.startswith("#"):
            return
        stream, dts = (int(word) for word in line.split(",")[:2])
        before = self.last_dts.get(stream)
        if before is not None and dts <= before:
            self.faults.append(f"stream {stream}: dts {dts} behind {before}")
        self.last_dts[stream] = dts
        self.look_for_gap()
        self.last_packet = time.monotonic()
        self.packets += 1

    def look_for_gap(self):
        now = time.monotonic()
        if self.last_packet is not None and now > self.excused_until:
            gap = now - max(self.last_packet, self.excused_until)
            if gap > GAP_S:
                self.faults.append(f"nothing came for {gap:.1f} s")
                self.last_packet = now


class Pipeline:
    """The program under test, and what it tells."""

    def __init__(self, source, target):
        self.words = ["--stats=json", "--stall-timeout=2s", "--open-timeout=20s", "-i", source]
        self.words += ["-preset", "ultrafast", "-f", "flv", target]
        self.words += ["--", sys.executable, "-c", COMMAND]
        self.stats = {}
        self.said = []

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            PROGRAM, *self.words, stderr=asyncio.subprocess.PIPE
        )

    async def listen(self):
        async for line in self.process.stderr:
            text = line.decode().rstrip()
            if text.startswith("{"):
                self.stats = json.loads(text)
            else:
                self.said.append(text)

    def children(self):
        path = f"/proc/{self.process.pid}/task"
        found = []
        for task in os.listdir(path):
            with open(f"{path}/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
        return found


def resources(pid):
    """Memory in MiB, file descriptors, threads."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    memory = int(fields["VmRSS"].split()[0]) / 1024
    return memory, len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])


async def break_things(camera, pipeline, reader, source, target, until):
    """One fault after the other, each over before the next."""

    async def pause():
        await asyncio.sleep(CHOICE.uniform(1, 6))

    async def camera_killed():
        await camera.kill()
        await pause()
        await camera.start()

    async def camera_frozen():
        camera.process.send_signal(signal.SIGSTOP)
        await pause()
        camera.process.send_signal(signal.SIGCONT)

    async def command_killed():
        for child in pipeline.children():
            os.kill(child, signal.SIGKILL)

    def proxied(proxy, fault):
        async def broken():
            kind, change = fault
            if kind == "refused":
                await proxy.refuse()
                proxy.end(reset=True)
            else:
                change(proxy)
            await pause()
            await proxy.heal()
            if kind == "corrupted":
                proxy.end(reset=False)

        return broken

    kinds = [
        ("closed", lambda proxy: proxy.end(reset=False)),
        ("reset", lambda proxy: proxy.end(reset=True)),
        ("refused", None),
        ("stalled", lambda proxy: setattr(proxy, "stalled", True)),
        ("throttled", lambda proxy: setattr(proxy, "bytes_per_s", 8000)),
        ("delayed", lambda proxy: setattr(proxy, "delay_s", 0.3)),
        ("corrupted", lambda proxy: setattr(proxy, "corrupt", 0.01)),
    ]
    faults = [("camera killed", camera_killed), ("camera frozen", camera_frozen)]
    faults.append(("command killed", command_killed))
    faults += [("input " + kind[0], proxied(source, kind)) for kind in kinds]
    # What is wrong in the bytes to the server is the server's to refuse; the rest is ours.
    faults += [("output " + kind[0], proxied(target, kind)) for kind in kinds[:-1]]
    count = 0
    while True:
        await asyncio.sleep(CHOICE.uniform(20, 40))
        if time.monotonic() > until - 30:
            return count
        name, fault = CHOICE.choice(faults)
        print(f"  fault: {name}", flush=True)
        if name.startswith("output"):
            reader.excused_until = time.monotonic() + 60
        await fault()
        if name.startswith("output"):
            # The longest back-off, and the time to see a keyframe.
            reader.excused_until = time.monotonic() + 15
        count += 1


def grown(samples):
    """What is more at the end than in the middle, by name."""
    third = len(samples) // 3
    if third < 3:
        return []
    told = []
    for who in (0, 1):
        name = ("pipeline", "server")[who]
        for at, (what, limit) in enumerate(
            [("MiB", MEMORY_MIB), ("file descriptors", DESCRIPTORS), ("threads", THREADS)]
        ):
            middle = statistics.median(one[who][at] for one in samples[third : 2 * third])
            end = statistics.median(one[who][at] for one in samples[-third:])
            if end > middle + limit:
                told.append(f"{name}: {middle:.0f} {what} in the middle, {end:.0f} at the end")
    return told


async def soak(folder):
    print(f"{SECONDS} s of faults, FRAMELOOM_TEST_SEED={SEED}", flush=True)
    film = os.path.join(folder, "film.flv")
    make = "-v error -f lavfi -i testsrc2=s=320x240:r=25 -f lavfi -i sine=440:r=44100 -t 30"
    make += " -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac -b:a 64k"
    made = await asyncio.create_subprocess_exec("ffmpeg", *make.split(), film)
    if await made.wait():
        return ["ffmpeg could not make the film"]
    rtmp, http = free_port(), free_port()
    words = [f"--rtmp-listen=127.0.0.1:{rtmp}", f"--http-listen=127.0.0.1:{http}"]
    log = open(os.path.join(folder, "server.log"), "wb")
    server = await asyncio.create_subprocess_exec(PROGRAM, "serve", *words, stderr=log)
    source, target = Proxy(rtmp, 1), Proxy(rtmp, 0)
    await source.listen()
    await target.listen()
    camera = Camera(film, f"rtmp://127.0.0.1:{rtmp}/live/in")
    pipeline = Pipeline(
        f"rtmp://127.0.0.1:{source.port}/live/in", f"rtmp://127.0.0.1:{target.port}/live/out"
    )
    reader = Reader(f"rtmp://127.0.0.1:{rtmp}/live/out")
    tasks = []
    failures = []
    samples = []
    start = time.monotonic()
    until = start + SECONDS
    try:
        # The server listens before anyone connects.
        for _ in range(100):
            try:
                (await asyncio.open_connection("127.0.0.1", rtmp))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.1)
        await camera.start()
        await asyncio.sleep(1)
        await pipeline.start()
        tasks = [asyncio.ensure_future(one) for one in (pipeline.listen(), reader.run())]
        breaking = asyncio.ensure_future(
            break_things(camera, pipeline, reader, source, target, until)
        )
        tasks.append(breaking)
        print("   time  pipeline: MiB  fds threads   server: MiB  fds threads   latency ms (99 %)")
        while time.monotonic() < until:
            await asyncio.sleep(10)
            for name, process in [("pipeline", pipeline.process), ("server", server)]:
                if process.returncode is not None:
                    failures.append(f"the {name} ended with {process.returncode}")
            if breaking.done() and breaking.exception():
                failures.append(f"the soak itself failed: {breaking.exception()!r}")
            if failures:
                break
            reader.look_for_gap()
            one = (resources(pipeline.process.pid), resources(server.pid))
            samples.append(one)
            latency = [pipeline.stats.get(name) for name in ("latency_ms", "latency_p99_ms")]
            line = "        ".join(f"{m:12.1f} {f:4d} {t:7d}" for m, f, t in one)
            print(f"{time.monotonic() - start:7.0f}{line}   {latency[0]} ({latency[1]})", flush=True)
        if not failures:
            pipeline.process.send_signal(signal.SIGINT)
            try:
                code = await asyncio.wait_for(pipeline.process.wait(), 20)
                if code:
                    failures.append(f"the pipeline ended with {code}")
            except asyncio.TimeoutError:
                failures.append("the pipeline did not stop")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in (getattr(camera, "process", None), getattr(pipeline, "process", None), server):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
    failures += reader.faults + grown(samples)
    last = pipeline.stats
    names = ["reconnects", "restarts", "frames_in", "frames_out", "frames_held", "frames_dropped"]
    names += ["frames_bypassed", "packets_dropped", "errors"]
    print(", ".join(f"{name} {last.get(name)}" for name in names))
    print(f"the reader saw {reader.packets} packets in {reader.parts + 1} parts")
    if not reader.packets:
        failures.append("the reader saw nothing")
    if failures:
        print("\n".join(pipeline.said[-20:]))
    return failures


def main():
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f"no {PROGRAM}: cargo build --release -p frameloom-cli, or set FRAMELOOM")
    with tempfile.TemporaryDirectory(prefix="frameloom-soak-") as folder:
        failures = asyncio.run(soak(folder))
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


main()
