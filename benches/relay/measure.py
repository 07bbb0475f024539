"""Frameloom's server beside nginx-rtmp under the same load, and how fast a stream opens.

    measure.py [--check] [--rounds N] [--players N] [--seconds N] BENCH_RELAY BENCH_OPEN VIDEO

A server has one core; publisher and players have another. The servers take turns, each in a new
process for every round, so that what else the machine does meets both. Then ffmpeg publishes
VIDEO to Frameloom's server, and BENCH_OPEN opens it again and again. With --check the exit status
tells whether the project's bounds hold.
"""

import argparse
import contextlib
import glob
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PLAYERS = 500
OPEN_MS = 100.0
# How many clients try to fill the server's memory while few players watch.
ATTACKERS = 14
FEW_PLAYERS = 20
PATIENCE_S = 30

CPU = "CPU, ms for each player-Mbit"
CORE = "CPU, % of its core"
DELAY = "delay, median ms"
P99 = "delay, p99 ms"
WAITED = "waited for its core, % of the time"
# Frameloom's own figures, and their ratios to nginx's. A server that lets packets wait needs less
# CPU time, so the ratio of the CPU times only counts where the delays are alike.
BOUNDS = {CORE: 100, DELAY: 5}
RATIO_BOUNDS = {CPU: 1.0, DELAY: 1.25}

# A server that waits for its core sends several packets at once when it gets it, which costs less:
# rounds in which one waited for more than this share of the time say nothing.
MOST_WAITED = 3

NGINX_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
load_module {module};
events {{ worker_connections {connections}; }}
rtmp {{
    access_log off;
    server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }}
}}
"""


def pinned(core, *command):
    return ["taskset", "--cpu-list", str(core), *map(str, command)]


@contextlib.contextmanager
def frameloom(program, core):
    """Starts Frameloom's server and gives its process id and port."""
    command = pinned(core, program, "serve")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:
        try:
            yield server.pid, int(server.stdout.readline())
        finally:
            server.stdin.close()


@contextlib.contextmanager
def nginx(players, core):
    """Starts nginx with its RTMP module and gives its process id and port."""
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    modules = glob.glob("/usr/lib*/nginx/modules/ngx_rtmp_module.so")
    if not program or not modules:
        sys.exit("there is no nginx with its RTMP module: run script/setup --tests")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "nginx.conf")
        with open(config, "w") as file:
            values = {"folder": folder, "module": modules[0], "port": port}
            file.write(NGINX_CONFIG.format(connections=players + 100, **values))
        log = os.path.join(folder, "error.log")
        command = pinned(core, program, "-p", folder, "-c", config, "-e", log)
        with subprocess.Popen(command) as server:
            try:
                until(lambda: listens(port))
                yield server.pid, port
            finally:
                server.terminate()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"nothing came in {PATIENCE_S} s")
        time.sleep(0.05)


def load(program, core, server, players, seconds):
    """Puts the load on a server and returns what came of it."""
    pid, port = server
    command = pinned(core, program, "load", port, pid, players, seconds)
    measured = json.loads(subprocess.check_output(command))
    return {
        CPU: measured["cpu_s"] * 1e3 / measured["megabits"],
        CORE: measured["cpu_s"] / measured["elapsed_s"] * 100,
        WAITED: measured["waited_s"] / measured["elapsed_s"] * 100,
        DELAY: measured["delay_median_us"] / 1e3,
        P99: measured["delay_p99_us"] / 1e3,
        "memory, KiB for each player": measured["kib_per_player"],
    }


def attacked(program, cores, players, seconds):
    """Puts a small load on Frameloom's server while others try to fill its memory.

    The load fails where a player misses one packet. The attackers run where the server runs, at a
    lower priority: on the load's core they would delay whoever measures the delay.
    """
    with frameloom(program, cores[0]) as server:
        command = pinned(cores[0], "nice", "-n", "10", program, "attack", server[1], ATTACKERS)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, **pipes) as attack:
            try:
                measured = load(program, cores[-1], server, players, seconds)
            finally:
                sent, _ = attack.communicate()
        return measured, json.loads(sent)


def opening(server_program, open_program, video, cores):
    """Opens a live stream whose GOP the server has, and returns what BENCH_OPEN measured."""
    with frameloom(server_program, cores[0]) as (_, port):
        url = f"rtmp://127.0.0.1:{port}/live/bench"
        publish = ["ffmpeg", "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i"]
        publish += [video, "-c", "copy", "-f", "flv", url]
        with subprocess.Popen(publish) as publisher:
            try:
                quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
                until(lambda: subprocess.call([open_program, url, "1"], **quiet) == 0)
                return json.loads(subprocess.check_output([open_program, url, "20"]))
            finally:
                publisher.terminate()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--players", type=int, default=PLAYERS)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("bench_relay")
    parser.add_argument("bench_open")
    parser.add_argument("video")
    args = parser.parse_args()
    if args.check and args.players < PLAYERS:
        parser.error(f"the bounds are those of {PLAYERS} players")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("two cores are needed: one for a server, one for the load")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    # So that a kill, too, ends what was started here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    servers = {
        "frameloom": lambda: frameloom(args.bench_relay, cores[0]),
        "nginx-rtmp": lambda: nginx(args.players, cores[0]),
    }
    rounds, tries = [], 0
    while len(rounds) < args.rounds:
        tries += 1
        if tries > 4 * args.rounds:
            sys.exit("this machine is too busy to tell")
        measured = {}
        for name, start in servers.items():
            with start() as server:
                measured[name] = load(
                    args.bench_relay, cores[-1], server, args.players, args.seconds
                )
        quiet = all(each[WAITED] <= MOST_WAITED for each in measured.values())
        if quiet:
            rounds.append(measured)
        told = f"round {len(rounds)} of {args.rounds} done" if quiet else "a busy round, left out"
        print(told, file=sys.stderr)

    title = f"{args.players} players, medians of {args.rounds} rounds"
    heads = f"{'frameloom':>10} {'nginx-rtmp':>10} {'ratio':>8} {'lowest':>8} {'highest':>8}"
    print(f"{title:40} {heads}")
    exceeded = []
    for what in rounds[0]["frameloom"]:
        mine, peer = ([each[name][what] for each in rounds] for name in servers)
        ours, theirs = statistics.median(mine), statistics.median(peer)
        if what == WAITED:
            print(f"{what:40} {ours:10.2f} {theirs:10.2f}")
            continue
        ratios = [one / other for one, other in zip(mine, peer)]
        ratio = statistics.median(ratios)
        print(
            f"{what:40} {ours:10.2f} {theirs:10.2f}"
            f" {ratio:8.3f} {min(ratios):8.3f} {max(ratios):8.3f}"
        )
        for value, bound, of in (
            (ours, BOUNDS.get(what), ""),
            (ratio, RATIO_BOUNDS.get(what), ", times nginx's"),
        ):
            if bound is not None and value > bound:
                exceeded.append(f"{what}{of}: {value:.3f}, the bound is {bound}")
    with frameloom(args.bench_relay, cores[0]) as server:
        alone = load(args.bench_relay, cores[-1], server, FEW_PLAYERS, args.seconds)
    beside, sent = attacked(args.bench_relay, cores, FEW_PLAYERS, args.seconds)
    print(
        f"{FEW_PLAYERS} players beside {ATTACKERS} clients that fill the server's memory"
        f" ({sent['megabytes']} MB in {sent['connections']} connections): no packet lost; delay, ms:"
        f" median {beside[DELAY]:.2f}, p99 {beside[P99]:.2f};"
        f" without them {alone[DELAY]:.2f} and {alone[P99]:.2f}"
    )
    opened = opening(args.bench_relay, args.bench_open, args.video, cores)
    print(
        f"from connecting to the first frame: {opened['median_ms']} ms,"
        f" the median of {opened['times']}; the slowest {opened['highest_ms']} ms"
    )
    if opened["median_ms"] > OPEN_MS:
        exceeded.append(f"first frame: {opened['median_ms']} ms, the bound is {OPEN_MS}")
    if args.check and exceeded:
        sys.exit("\n".join(["a bound is exceeded:", *exceeded]))


if __name__ == "__main__":
    main()
