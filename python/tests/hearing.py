"""What the tests hear and see of a file: samples by PyAV, pitches, and when something begins."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

import frameloom

Sound = npt.NDArray[np.float32]


def heard(path: Path | str) -> tuple[Sound, float]:
    """All samples by PyAV, (n, channels), and when the first one is to be heard."""
    pieces, begin = [], None
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt")
        for frame in container.decode(audio=0):
            begin = frame.time if begin is None else begin
            channels = len(frame.layout.channels)
            for part in resampler.resample(frame):
                pieces.append(part.to_ndarray().reshape(-1, channels))
    assert begin is not None
    return np.concatenate(pieces), begin


def level(sound: Sound) -> float:
    """Give the mean power of all samples, as an amplitude."""
    return float(np.sqrt(np.mean(np.square(sound.astype(np.float64)))))


def pitch(sound: Sound, rate: int) -> float:
    """Find the strongest frequency, in Hz."""
    mono = sound.mean(axis=1)
    return float(np.abs(np.fft.rfft(mono)).argmax() * rate / len(mono))


def tone(seconds: float, rate: int = 48000, hertz: float = 440.0, channels: int = 2) -> Sound:
    """Make a sine of half the greatest amplitude."""
    at = np.arange(round(seconds * rate)) / rate
    wave = 0.5 * np.sin(2 * np.pi * hertz * at)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def first_loud(sound: Sound, rate: int) -> float:
    """Find where something is to be heard, in seconds from the first sample."""
    return float(np.argmax(np.abs(sound[:, 0]) > 0.1) / rate)


def first_white(path: Path) -> float:
    """Find when the first bright picture is shown."""
    return next(frame.time for frame in frameloom.open(path) if frame.image.mean() > 128)
