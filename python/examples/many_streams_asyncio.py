"""Read many streams at once in one event loop, and print how bright they are.

python3 many_streams_asyncio.py INPUT...
"""

import asyncio
import sys

import frameloom


async def watch(source: str) -> None:
    video = await asyncio.to_thread(frameloom.open, source, pix_fmt="gray", size=(160, 90))
    with video:
        async for frame in video:
            if frame.index % 25 == 0:
                print(f"{source} {frame.time:8.2f} s  brightness {frame.image.mean():5.1f}")


async def main() -> None:
    await asyncio.gather(*(watch(source) for source in sys.argv[1:]))


if __name__ == "__main__":
    asyncio.run(main())
