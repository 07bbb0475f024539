"""Read many streams at once, each in a thread of its own, and print how bright they are.

    python3 many_streams.py INPUT...

Waiting and converting leave Python free: the threads really run side by side.
"""

import sys
import threading

import frameloom


def watch(source: str, told: threading.Lock) -> None:
    with frameloom.open(source, pix_fmt="gray", size=(160, 90)) as video:
        for frame in video:
            if frame.index % 25 == 0:
                with told:
                    print(f"{source} {frame.time:8.2f} s  brightness {frame.image.mean():5.1f}")


def main() -> None:
    told = threading.Lock()
    threads = [
        threading.Thread(target=watch, args=(source, told), daemon=True) for source in sys.argv[1:]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
