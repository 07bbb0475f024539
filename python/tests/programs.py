"""What programs that start ffmpeg do with it: `python programs.py PROGRAM FOLDER CLIP TURNED`.

Each operation of a program writes into FOLDER, and what it returns is printed as JSON: what must be
the same with every ffmpeg, and colours, which need only be near. `test_programs.py` runs this once
with ffmpeg and once with frameloom in its place, and compares.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

OUT, CLIP, TURNED = (Path(word) for word in sys.argv[2:5])
FFMPEG = os.environ["IMAGEIO_FFMPEG_EXE"]

Found = dict[str, Any]
Operation = Callable[[], Found | None]
OPERATIONS: dict[str, list[Operation]] = {}


def _of(program: str) -> Callable[[Operation], Operation]:
    def add(operation: Operation) -> Operation:
        OPERATIONS.setdefault(program, []).append(operation)
        return operation

    return add


def _color(picture: Any) -> list[float]:
    pixels = np.asarray(picture, dtype=float)
    return [round(float(mean), 1) for mean in pixels.reshape(-1, pixels.shape[-1]).mean(axis=0)]


def _gray(number: int, height: int = 64, width: int = 96, channels: int = 3) -> Any:
    return np.full((height, width, channels), 10 * number, np.uint8)


# moviepy


@_of("moviepy")
def _infos() -> Found:
    from moviepy.video.io.ffmpeg_reader import ffmpeg_parse_infos

    of_clip, decoded = (ffmpeg_parse_infos(str(CLIP), decode_file=yes) for yes in (False, True))
    return {"same": [of_clip, decoded["video_n_frames"], decoded["video_fps"]]}


@_of("moviepy")
def _read() -> Found:
    from moviepy import VideoFileClip

    with VideoFileClip(str(CLIP)) as clip:
        same = [clip.duration, clip.fps, clip.size, sum(1 for _ in clip.iter_frames())]
        return {"same": same, "near": [_color(clip.get_frame(t)) for t in (0, 0.52, 1.0, 1.9)]}


@_of("moviepy")
def _turned() -> Found:
    from moviepy import VideoFileClip

    with VideoFileClip(str(TURNED)) as clip:
        return {"same": [clip.size, clip.rotation], "near": _color(clip.get_frame(1.0))}


@_of("moviepy")
def _sound() -> Found:
    from moviepy import AudioFileClip

    with AudioFileClip(str(CLIP)) as clip:
        samples = clip.to_soundarray(fps=44100)
        clip.write_audiofile(str(OUT / "sound.wav"), logger=None)
        clip.subclipped(0.5, 1.5).write_audiofile(str(OUT / "part.wav"), logger=None)
        loud = [round(float(np.abs(samples[at : at + 4410]).mean()), 4) for at in (0, 44100, 80000)]
        return {"same": [clip.duration, clip.fps, samples.shape, loud]}


@_of("moviepy")
def _cut() -> None:
    from moviepy import VideoFileClip

    with VideoFileClip(str(CLIP)) as clip:
        part = clip.subclipped(0.4, 1.4)
        part.write_videofile(str(OUT / "cut.mp4"), logger=None, audio_codec="aac")


@_of("moviepy")
def _join() -> None:
    from moviepy import VideoFileClip, concatenate_videoclips

    with VideoFileClip(str(CLIP)) as clip:
        joined = concatenate_videoclips([clip.subclipped(0, 0.6), clip.subclipped(1, 1.6)])
        joined.write_videofile(str(OUT / "join.mp4"), logger=None, preset="ultrafast", threads=2)


@_of("moviepy")
def _gif() -> None:
    from moviepy import VideoFileClip

    with VideoFileClip(str(CLIP)) as clip:
        clip.subclipped(0, 0.5).write_gif(str(OUT / "a.gif"), fps=10, logger=None)


@_of("moviepy")
def _transparent() -> Found:
    from moviepy import VideoFileClip

    target = str(OUT / "transparent.webm")
    with VideoFileClip(str(CLIP)) as clip:
        part = clip.with_opacity(0.5).subclipped(0, 0.4)
        part.write_videofile(target, codec="libvpx", logger=None, audio=False)
    with VideoFileClip(target, has_mask=True) as clip:
        return {"same": [round(float(clip.mask.get_frame(0.2).mean()), 1)]}


@_of("moviepy")
def _tools() -> None:
    from moviepy.video.io import ffmpeg_tools as tools

    source = str(CLIP)
    tools.ffmpeg_extract_subclip(source, 0.4, 1.6, str(OUT / "sub.mp4"), logger=None)
    sound = str(OUT / "extracted.mp3")
    tools.ffmpeg_extract_audio(source, sound, bitrate=128, logger=None)
    tools.ffmpeg_merge_video_audio(source, sound, str(OUT / "merged.mp4"), logger=None)
    tools.ffmpeg_resize(source, str(OUT / "small.mp4"), (96, 54), logger=None)


@_of("moviepy")
def _pictures() -> Found:
    from moviepy import ImageSequenceClip, VideoFileClip
    from moviepy.video.io.ffmpeg_reader import ffmpeg_read_image
    from moviepy.video.io.ffmpeg_writer import ffmpeg_write_image

    picture = str(OUT / "frame.jpg")
    with VideoFileClip(str(CLIP), target_resolution=(96, 54)) as clip:
        ffmpeg_write_image(picture, clip.get_frame(1))
        clip.subclipped(0, 0.4).write_images_sequence(str(OUT / "%03d.png"), fps=10, logger=None)
    names = [str(path) for path in sorted(OUT.glob("0*.png"))]
    still = ImageSequenceClip(names, fps=10)
    still.write_videofile(str(OUT / "sequence.avi"), codec="png", logger=None)
    read = ffmpeg_read_image(picture, with_mask=False)
    return {"same": [len(names), read.shape], "near": _color(read)}


@_of("moviepy")
def _missing() -> Found:
    from moviepy import VideoFileClip

    try:
        VideoFileClip("nosuch.mp4")
    except OSError as error:
        return {"same": ["could not be found" in str(error)]}
    return {"same": ["nothing was raised"]}


# imageio-ffmpeg, and imageio above it


def _write(name: str, frames: list[Any], **how: Any) -> None:
    import imageio_ffmpeg

    height, width = frames[0].shape[:2]
    writer = imageio_ffmpeg.write_frames(str(OUT / name), (width, height), **how)
    writer.send(None)
    for frame in frames:
        writer.send(frame)
    writer.close()


@_of("imageio")
def _read_frames() -> Found:
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(CLIP))
    meta = next(reader)
    meta.pop("ffmpeg_version")
    frames = list(reader)
    picture = np.frombuffer(frames[10], np.uint8).reshape(108, 192, 3)
    return {"same": [meta, len(frames)], "near": _color(picture)}


@_of("imageio")
def _read_part() -> Found:
    import imageio_ffmpeg

    how = {"input_params": ["-ss", "0.4"], "output_params": ["-vf", "scale=96:54"]}
    reader = imageio_ffmpeg.read_frames(str(CLIP), pix_fmt="gray", bits_per_pixel=8, **how)
    meta = next(reader)
    meta.pop("ffmpeg_version")
    return {"same": [meta, sum(1 for _ in reader)]}


@_of("imageio")
def _read_turned() -> Found:
    import imageio_ffmpeg

    reader = imageio_ffmpeg.read_frames(str(TURNED))
    meta = next(reader)
    return {"same": [meta["size"], meta["rotate"], sum(1 for _ in reader)]}


@_of("imageio")
def _count() -> Found:
    import imageio_ffmpeg

    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(CLIP))
    return {"same": [frames]}


@_of("imageio")
def _encoders() -> Found:
    import imageio_ffmpeg
    from imageio_ffmpeg._io import get_first_available_h264_encoder

    version = imageio_ffmpeg.get_ffmpeg_version()
    return {"same": [version.split(".")[0].isdigit(), get_first_available_h264_encoder()]}


@_of("imageio")
def _write_beside_sound() -> None:
    frames = [_gray(number, 108, 192) for number in range(20)]
    _write("beside.mp4", frames, fps=12, macro_block_size=1, audio_path=str(CLIP))


@_of("imageio")
def _write_gif() -> None:
    how = {"codec": "gif", "pix_fmt_out": "rgb8", "quality": None}
    _write("b.gif", [_gray(4 * number, 64, 64) for number in range(5)], fps=10, **how)


@_of("imageio")
def _write_gray() -> None:
    frames = [np.full((70, 100), 10 * number, np.uint8) for number in range(20)]
    _write("gray.avi", frames, codec="mpeg4", quality=7, pix_fmt_in="gray")


@_of("imageio")
def _write_bits() -> None:
    more = ["-preset", "ultrafast", "-tag:v", "hvc1", "-movflags", "+faststart"]
    frames = [_gray(number) for number in range(20)]
    how = {"codec": "libx265", "bitrate": "300k", "output_params": more}
    _write("bits.mp4", frames, fps=24000 / 1001, macro_block_size=2, **how)


@_of("imageio")
def _imageio() -> Found:
    import imageio

    reader = imageio.get_reader(str(CLIP), "ffmpeg")
    near = [_color(reader.get_data(number)) for number in (0, 30, 12)]
    meta = reader.get_meta_data()
    meta.pop("ffmpeg_version")
    count = reader.count_frames()
    reader.close()
    writer = imageio.get_writer(str(OUT / "written.mp4"), format="ffmpeg", fps=30, quality=8)
    for number in range(12):
        writer.append_data(_gray(number))
    writer.close()
    written = sum(1 for _ in imageio.get_reader(str(OUT / "written.mp4"), "ffmpeg"))
    return {"same": [meta["size"], meta["fps"], meta["duration"], count, written], "near": near}


@_of("imageio")
def _join_parts() -> None:
    import imageio_ffmpeg

    def part(begin: str) -> list[Any]:
        how = {"input_params": ["-ss", begin], "output_params": ["-frames:v", "12"]}
        reader = imageio_ffmpeg.read_frames(str(CLIP), **how)
        next(reader)
        return [np.frombuffer(frame, np.uint8).reshape(108, 192, 3) for frame in reader]

    _write("joined.mp4", part("0.2") + part("1.2"), fps=25, macro_block_size=2, quality=8)


# ffmpeg-python


def _run(stream: Any) -> bytes:
    found, _ = stream.overwrite_output().run(capture_stdout=True, capture_stderr=True)
    return bytes(found)


@_of("ffmpeg-python")
def _pixels() -> Found:
    import ffmpeg

    raw = ffmpeg.input(str(CLIP)).output("pipe:", format="rawvideo", pix_fmt="rgb24")
    pictures = np.frombuffer(_run(raw), np.uint8).reshape(-1, 108, 192, 3)
    return {"same": [len(pictures)], "near": _color(pictures[20])}


@_of("ffmpeg-python")
def _copy_part() -> None:
    import ffmpeg

    _run(ffmpeg.input(str(CLIP), ss=0.4, t=1.2).output(str(OUT / "part.mp4"), c="copy"))


@_of("ffmpeg-python")
def _trim() -> None:
    import ffmpeg

    source = ffmpeg.input(str(CLIP))
    parts = [
        source.trim(start_frame=begin, end_frame=begin + 10).setpts("PTS-STARTPTS")
        for begin in (5, 30)
    ]
    _run(ffmpeg.concat(*parts).output(str(OUT / "trimmed.mp4")))


@_of("ffmpeg-python")
def _overlay() -> None:
    import ffmpeg

    source = ffmpeg.input(str(CLIP))
    small = ffmpeg.input(str(CLIP)).filter("scale", 48, -2)
    both = source.overlay(small, x=5, y=5).drawbox(10, 10, 40, 40, color="red", thickness=2)
    _run(both.output(str(OUT / "both.mkv"), vcodec="libx264", crf=20, preset="fast", shortest=None))


@_of("ffmpeg-python")
def _samples() -> Found:
    import ffmpeg

    sound = ffmpeg.input(str(CLIP))
    raw = sound.output("-", format="s16le", acodec="pcm_s16le", ac=1, ar="16k")
    samples = np.frombuffer(_run(raw), np.int16).astype(float)
    return {"same": [len(samples)], "near": [round(float(np.abs(samples).mean()) / 100, 1)]}


@_of("ffmpeg-python")
def _thumbnail() -> Found:
    import ffmpeg

    picture = ffmpeg.input(str(CLIP), ss=1).filter("scale", 96, -1)
    found = _run(picture.output("pipe:", vframes=1, format="image2", vcodec="mjpeg"))
    return {"same": [found[:2].hex()]}


@_of("ffmpeg-python")
def _palette() -> None:
    import ffmpeg

    twice = ffmpeg.input(str(CLIP)).filter("fps", 10).split()
    palette = twice[1].filter("palettegen")
    _run(ffmpeg.filter([twice[0], palette], "paletteuse").output(str(OUT / "palette.gif")))


@_of("ffmpeg-python")
def _pipe() -> Found:
    import ffmpeg

    raw = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", s="64x48", r=10)
    written = raw.output(str(OUT / "pipe.mp4"), pix_fmt="yuv420p", vsync=0, threads=1)
    process = written.overwrite_output().run_async(pipe_stdin=True, quiet=True)
    process.communicate(bytes(64 * 48 * 3 * 7))
    return {"same": [process.returncode]}


@_of("ffmpeg-python")
def _concat_list() -> None:
    import ffmpeg

    names = OUT / "names.txt"
    names.write_text(f"file '{CLIP.absolute()}'\n" * 2)
    listed = ffmpeg.input(str(names), format="concat", safe=0)
    _run(listed.output(str(OUT / "twice.mkv"), c="copy"))
    names.unlink()


@_of("ffmpeg-python")
def _mix() -> None:
    import ffmpeg

    sound = ffmpeg.input(str(CLIP)).audio.filter("volume", 0.5)
    silence = ffmpeg.input("anullsrc=r=44100:cl=mono", f="lavfi", t=1)
    mixed = ffmpeg.filter([sound, silence], "amix", inputs=2, duration="first")
    _run(mixed.output(str(OUT / "mixed.wav")).global_args("-loglevel", "error", "-nostdin"))


# vidgear


def _gear(name: str, frames: int = 15, channels: int = 3, **params: Any) -> None:
    from vidgear.gears import WriteGear

    dashed = {f"-{key.replace('__', ':')}": value for key, value in params.items()}
    folder = f"{Path(FFMPEG).parent}/"
    writer = WriteGear(output=str(OUT / name), custom_ffmpeg=folder, **dashed)
    for number in range(frames):
        writer.write(_gray(number, channels=channels))
    writer.close()


@_of("vidgear")
def _plain() -> None:
    _gear("plain.mp4")


@_of("vidgear")
def _lossless() -> None:
    _gear("lossless.mp4", vcodec="libx264", crf=0, preset="fast", input_framerate=12)


@_of("vidgear")
def _hevc() -> None:
    _gear("hevc.mkv", vcodec="libx265", output_dimensions=(64, 48), input_framerate=10)


@_of("vidgear")
def _filtered() -> None:
    _gear("filtered.mp4", vf="hflip,scale=48:32", movflags="+faststart", g=5)


@_of("vidgear")
def _gear_gif() -> None:
    _gear("c.gif", vcodec="gif", input_framerate=10)


@_of("vidgear")
def _mpeg4() -> None:
    _gear("mpeg4.avi", vcodec="mpeg4", qscale__v=3)


@_of("vidgear")
def _tuned() -> None:
    _gear("tuned.mkv", vcodec="libx264", tune="zerolatency", preset="ultrafast", b__v="500k")


@_of("vidgear")
def _alpha() -> None:
    _gear("alpha.mov", frames=6, channels=4, vcodec="qtrle")


@_of("vidgear")
def _matroska() -> None:
    _gear("vp8.webm", vcodec="libvpx", b__v="300k", deadline="realtime")


@_of("vidgear")
def _command() -> None:
    from vidgear.gears import WriteGear

    writer = WriteGear(output=str(OUT / "none.mp4"), custom_ffmpeg=f"{Path(FFMPEG).parent}/")
    target = str(OUT / "copied.aac")
    writer.execute_ffmpeg_cmd(["-y", "-i", str(CLIP), "-vn", "-acodec", "copy", target])
    writer.close()


def _by_gear(name: str, *words: str) -> None:
    from vidgear.gears import WriteGear

    writer = WriteGear(output=str(OUT / "none.mp4"), custom_ffmpeg=f"{Path(FFMPEG).parent}/")
    writer.execute_ffmpeg_cmd(["-y", *words, str(OUT / name)])
    writer.close()


@_of("vidgear")
def _gear_sound() -> None:
    _by_gear("voice.wav", "-i", str(CLIP), "-vn", "-t", "1")
    voice = str(OUT / "voice.wav")
    # It kills an ffmpeg that has two inputs, where it isn't told to wait.
    how: dict[str, Any] = {"input_framerate": 25, "disable_force_termination": True}
    _gear("voiced.mp4", frames=25, i=voice, acodec="aac", **how)


@_of("vidgear")
def _gear_cut() -> None:
    codecs = ("-c:v", "libx264", "-c:a", "flac")
    _by_gear("gear_cut.mkv", "-ss", "0.4", "-i", str(CLIP), "-t", "1", *codecs)


@_of("vidgear")
def _gear_join() -> None:
    names = OUT / "gear_names.txt"
    names.write_text(f"file '{CLIP.absolute()}'\n" * 2)
    _by_gear("gear_joined.mkv", "-f", "concat", "-safe", "0", "-i", str(names), "-c", "copy")
    names.unlink()


# ffmpegcv


@_of("ffmpegcv")
def _capture() -> Found:
    import ffmpegcv

    with ffmpegcv.VideoCapture(str(CLIP)) as video:
        frames = list(video)
        same = [len(frames), video.width, video.height, video.fps, video.codec, video.duration]
        return {"same": same, "near": _color(frames[10])}


@_of("ffmpegcv")
def _crop() -> Found:
    import ffmpegcv

    with ffmpegcv.VideoCapture(str(CLIP), crop_xywh=(10, 10, 100, 80)) as video:
        frames = list(video)
        return {"same": [len(frames), frames[0].shape], "near": _color(frames[10])}


@_of("ffmpegcv")
def _resize() -> Found:
    import ffmpegcv

    how = {"resize": (96, 64), "resize_keepratio": True, "pix_fmt": "rgb24"}
    with ffmpegcv.VideoCapture(str(CLIP), **how) as video:
        frames = list(video)
        return {"same": [len(frames), frames[0].shape], "near": _color(frames[10])}


@_of("ffmpegcv")
def _nv12() -> Found:
    import ffmpegcv

    with ffmpegcv.VideoCapture(str(CLIP), pix_fmt="nv12") as video:
        frames = list(video)
        return {"same": [len(frames), frames[0].shape]}


@_of("ffmpegcv")
def _gray_capture() -> Found:
    import ffmpegcv

    with ffmpegcv.VideoCapture(str(CLIP), pix_fmt="gray") as video:
        return {"same": [sum(1 for _ in video)]}


@_of("ffmpegcv")
def _stream() -> Found:
    import ffmpegcv

    video = ffmpegcv.VideoCaptureStream(str(CLIP))
    count = 0
    while video.read()[0]:
        count += 1
    video.release()
    return {"same": [count]}


@_of("ffmpegcv")
def _ahead() -> Found:
    import ffmpegcv

    video = ffmpegcv.noblock(ffmpegcv.VideoCapture, str(CLIP))
    count = sum(1 for _ in video)
    video.release()
    return {"same": [count]}


@_of("ffmpegcv")
def _info() -> Found:
    from ffmpegcv.video_info import get_info

    return {"same": [list(get_info(str(CLIP)))]}


@_of("ffmpegcv")
def _writer() -> None:
    import ffmpegcv

    writer = ffmpegcv.VideoWriter(str(OUT / "cv.mp4"), None, 25)
    for number in range(15):
        writer.write(_gray(number))
    writer.release()


@_of("ffmpegcv")
def _writer_of_hevc() -> None:
    import ffmpegcv

    how = {"pix_fmt": "rgb24", "resize": (64, 64)}
    writer = ffmpegcv.VideoWriter(str(OUT / "cv265.mp4"), "hevc", 25, **how)
    for number in range(15):
        writer.write(_gray(number))
    writer.release()


@_of("ffmpegcv")
def _cut_and_join() -> Found:
    import ffmpegcv

    written = ffmpegcv.VideoWriter(str(OUT / "cv_joined.mp4"), None, 25)
    counts = []
    # At keyframes: it gives `-r` as well, with which ffmpeg 5 begins at the keyframe before.
    for begin in ("0.4", "1.2"):
        with ffmpegcv.VideoCapture(str(CLIP), infile_options=f"-ss {begin} -t 0.5") as video:
            frames = list(video)
        counts.append(len(frames))
        for frame in frames:
            written.write(frame)
    written.release()
    return {"same": counts}


@_of("ffmpegcv")
def _gif_of_frames() -> None:
    import ffmpegcv

    written = ffmpegcv.VideoWriter(str(OUT / "cv.gif"), "gif", 10, pix_fmt="rgb24")
    for number in range(10):
        written.write(_gray(2 * number))
    written.release()


# pydub


def _sound_of(path: Path) -> list[Any]:
    from pydub import AudioSegment

    sound = AudioSegment.from_file(str(path))
    return [len(sound), sound.frame_rate, sound.channels, sound.sample_width]


@_of("pydub")
def _load() -> Found:
    from pydub import AudioSegment

    sound = AudioSegment.from_file(str(CLIP))
    return {"same": _sound_of(CLIP), "near": [round(sound.dBFS, 1), round(sound.max_dBFS, 1)]}


@_of("pydub")
def _load_part() -> Found:
    from pydub import AudioSegment

    part = AudioSegment.from_file(str(CLIP), start_second=0.5, duration=1)
    return {"same": [len(part), part.frame_rate]}


@_of("pydub")
def _load_by_decoder() -> Found:
    from pydub import AudioSegment

    return {"same": [len(AudioSegment.from_file(str(CLIP), codec="aac"))]}


@_of("pydub")
def _write_mp3() -> Found:
    from pydub import AudioSegment
    from pydub.utils import mediainfo

    sound = AudioSegment.from_file(str(CLIP))
    how = {"format": "mp3", "bitrate": "96k", "tags": {"title": "Door"}}
    sound.export(str(OUT / "pydub.mp3"), **how).close()
    told = mediainfo(str(OUT / "pydub.mp3"))
    names = ("codec_name", "sample_rate", "channels", "format_name")
    return {"same": [*(told[name] for name in names), told["TAG"]["title"]]}


@_of("pydub")
def _read_from_memory() -> Found:
    import io

    from pydub import AudioSegment

    sound = AudioSegment.from_file(str(CLIP))
    written = sound.export(io.BytesIO(), format="ogg")
    written.seek(0)
    return {"same": [len(AudioSegment.from_file(written, format="ogg"))]}


@_of("pydub")
def _write_wav() -> None:
    from pydub import AudioSegment

    AudioSegment.from_file(str(CLIP))[500:1500].export(str(OUT / "pydub.wav"), format="wav").close()


@_of("pydub")
def _write_m4a() -> None:
    from pydub import AudioSegment

    sound = AudioSegment.from_file(str(CLIP)).fade_in(200).reverse()
    sound.export(str(OUT / "pydub.m4a"), format="ipod", codec="aac").close()


@_of("pydub")
def _write_flac() -> Found:
    from pydub import AudioSegment

    sound = AudioSegment.from_file(str(CLIP))
    flac = OUT / "pydub.flac"
    sound.export(str(flac), format="flac", parameters=["-ar", "22050", "-ac", "1"]).close()
    return {"same": _sound_of(flac)}


@_of("pydub")
def _mix_and_join() -> None:
    from pydub import AudioSegment

    sound = AudioSegment.from_file(str(CLIP))
    both = sound.overlay(sound - 6, position=300).append(sound[:500], crossfade=100)
    both.export(str(OUT / "mixed.wav"), format="wav").close()


@_of("pydub")
def _what_is_in_it() -> Found:
    from pydub.utils import mediainfo_json

    told = mediainfo_json(str(CLIP))
    streams = [[stream["codec_name"], stream["codec_type"]] for stream in told["streams"]]
    return {"same": [streams, told["format"]["duration"]]}


# scikit-video


def _skvideo() -> Any:
    # It uses what numpy has under other names now.
    np.float, np.int = float, int  # type: ignore[attr-defined]
    import skvideo

    skvideo.setFFmpegPath(str(Path(FFMPEG).parent))
    import skvideo.io
    from skvideo.io import abstract

    class Video(np.ndarray):
        def tostring(self) -> bytes:
            return self.tobytes()

    shaped = abstract.vshape
    if not hasattr(shaped, "is_ours"):
        abstract.vshape = lambda video: shaped(video).view(Video)
        abstract.vshape.is_ours = True
    return skvideo


@_of("scikit-video")
def _told() -> Found:
    told = _skvideo().io.ffprobe(str(CLIP))
    names = ("@width", "@height", "@nb_frames", "@codec_name", "@avg_frame_rate", "@pix_fmt")
    return {"same": [[told["video"][name] for name in names], told["audio"]["@sample_rate"]]}


@_of("scikit-video")
def _read_all() -> Found:
    video = _skvideo().io.vread(str(CLIP))
    return {"same": video.shape, "near": [_color(video[number]) for number in (0, 20)]}


@_of("scikit-video")
def _read_some() -> Found:
    return {"same": _skvideo().io.vread(str(CLIP), num_frames=7).shape}


@_of("scikit-video")
def _read_gray() -> Found:
    video = _skvideo().io.vread(str(CLIP), as_grey=True)
    return {"same": video.shape, "near": [float(video[3].mean())]}


@_of("scikit-video")
def _read_one_by_one() -> Found:
    return {"same": [sum(1 for _ in _skvideo().io.vreader(str(CLIP)))]}


@_of("scikit-video")
def _read_smaller() -> Found:
    how = {"inputdict": {"-ss": "0.5"}, "outputdict": {"-s": "96x54"}}
    reader = _skvideo().io.FFmpegReader(str(CLIP), **how)
    frame = next(reader.nextFrame())
    reader.close()
    return {"same": frame.shape}


@_of("scikit-video")
def _read_filtered() -> Found:
    video = _skvideo().io.vread(str(CLIP), outputdict={"-vf": "hflip"}, num_frames=3)
    return {"same": video.shape, "near": _color(video[2][:, :40])}


@_of("scikit-video")
def _write_all() -> None:
    frames = np.stack([_gray(number) for number in range(15)])
    _skvideo().io.vwrite(str(OUT / "all.mp4"), frames)


@_of("scikit-video")
def _write_one_by_one() -> None:
    how = {"-vcodec": "libx264", "-preset": "ultrafast", "-crf": "0", "-r": "10"}
    target = str(OUT / "one.mp4")
    writer = _skvideo().io.FFmpegWriter(target, inputdict={"-r": "10"}, outputdict=how)
    for number in range(15):
        writer.writeFrame(_gray(number))
    writer.close()


@_of("scikit-video")
def _write_ffv1_in_gray() -> None:
    how = {"-vcodec": "ffv1", "-pix_fmt": "gray"}
    writer = _skvideo().io.FFmpegWriter(str(OUT / "gray.mkv"), outputdict=how)
    for number in range(10):
        writer.writeFrame(_gray(number, channels=1))
    writer.close()


def _main() -> None:
    found: dict[str, Found] = {}
    for operation in OPERATIONS[sys.argv[1]]:
        name = operation.__name__
        try:
            found[name] = operation() or {}
        except Exception as error:
            said = getattr(error, "stderr", None) or b""
            found[name] = {"failed": f"{type(error).__name__}: {error} {said.decode()}"}
    sys.stdout.write("\n" + json.dumps(found, default=str))


if __name__ == "__main__":
    _main()
