"""Put the libraries that a wheel needs into it, under names that no other package's clash with.

    repair_wheel.py WHEEL FOLDER

Everything that the extension is linked with goes in, but for the C and C++ runtimes, which every
Debian has. (The tools made for this leave out X11 and OpenGL's too, which a server hasn't got and
FFmpeg's libraries ask for.) Each copy is named by its contents, so that PyAV's and OpenCV's FFmpeg
are other libraries to the loader.
"""

import base64
import csv
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Of glibc and gcc: they must be the process's own.
SYSTEM = re.compile(
    r"^(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|anl|mvec|gcc_s|stdc\+\+))\.so"
)


def run(*words: object) -> str:
    """Run a program and return what it printed."""
    return subprocess.check_output([str(word) for word in words], text=True)


def needed(path: Path) -> list[str]:
    """List the names that a library asks for."""
    return [name for name in run("patchelf", "--print-needed", path).split() if name]


def closure(extension: Path) -> dict[str, Path]:
    """Find every library that it needs, itself and by others: names and places."""
    found = {}
    for line in run("ldd", extension).splitlines():
        name, arrow, place = line.strip().partition(" => ")
        if arrow and not SYSTEM.match(name):
            if place.startswith("not found"):
                sys.exit(f"wheel: {name} is not on this machine")
            found[name] = Path(place.split(" (")[0])
    return found


def hashed(name: str, path: Path) -> str:
    """Name a library by its contents."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    stem, dot, rest = name.partition(".so")
    return f"{stem}-{digest}{dot}{rest}"


def patch(path: Path, names: dict[str, str], rpath: str, soname: str | None) -> None:
    """Have a library look for the copies."""
    words: list[object] = ["patchelf", "--set-rpath", rpath]
    if soname:
        words += ["--set-soname", soname]
    for name in needed(path):
        if name in names:
            words += ["--replace-needed", name, names[name]]
    run(*words, path)


def record(folder: Path) -> None:
    """Write the list of files anew."""
    [info] = folder.glob("*.dist-info")
    with (info / "RECORD").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            place = path.relative_to(folder).as_posix()
            if path.name == "RECORD":
                rows.writerow([place, "", ""])
                continue
            digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
            rows.writerow([place, f"sha256={digest.rstrip(b'=').decode()}", path.stat().st_size])


def main() -> None:
    """Make a wheel of a wheel."""
    wheel, target = Path(sys.argv[1]), Path(sys.argv[2])
    glibc = platform.libc_ver()[1].replace(".", "_")
    tag = f"manylinux_{glibc}_{platform.machine()}"
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder)
        [extension] = folder.glob("frameloom/*.so")
        places = closure(extension)
        names = {name: hashed(name, place) for name, place in places.items()}
        libraries = folder / "frameloom.libs"
        libraries.mkdir()

        def take(name: str) -> None:
            copy = libraries / names[name]
            shutil.copy(places[name], copy)
            copy.chmod(0o755)
            patch(copy, names, "$ORIGIN", names[name])

        with ThreadPoolExecutor() as pool:
            list(pool.map(take, names))
        patch(extension, names, "$ORIGIN/../frameloom.libs", None)
        [info] = folder.glob("*.dist-info")
        about = info / "WHEEL"
        about.write_text(re.sub(r"(Tag: \S+-\S+-)\S+", rf"\g<1>{tag}", about.read_text()))
        record(folder)
        target.mkdir(parents=True, exist_ok=True)
        name = "-".join([*wheel.stem.split("-")[:-1], tag]) + ".whl"
        with zipfile.ZipFile(target / name, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                packed.write(path, path.relative_to(folder))
    print(f"{target / name}: {len(names)} libraries, {(target / name).stat().st_size >> 20} MiB")


if __name__ == "__main__":
    main()
