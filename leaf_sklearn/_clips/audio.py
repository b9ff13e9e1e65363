"""One audio file -> one mono clip, or an error that names the file."""

import io
import os
import stat
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from .resample import resample, resampled_length
from .riff import find_wav_data, is_wav

MAX_CHANNELS = 64
"""Channels of a file that is mixed down; more is taken for a broken header."""

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 1_000_000
"""Sample rates in Hz that a file may have; anything else is taken for a broken header."""

MAX_FRAMES = 2**29
"""Samples of one clip, decoded or resampled: 3.1 hours at 48 kHz, 9.3 hours at 16 kHz, 2 GiB."""

MAX_AMPLITUDE = 1e12
"""Larger samples overflow float32 once squared and summed, which would give infinite features."""

MP3_SLACK = 0.01
"""Share of its length by which an MP3 may fall short (and two frames of 1152): without a Xing header it is a guess."""

READ_SAMPLES = 2**20
"""Samples decoded at once, all channels together: 4 MiB."""

FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")
EXTENSIONS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
"""Names that audio files of these formats go by."""

_EXPECTED = "expected a wav, flac, ogg or mp3 file"


class AudioFileError(ValueError):
    """An audio file that cannot be used; the message names the file, what came and what was expected."""


class _ForwardOnly(soundfile.SoundFile):
    """A file that is only read from front to back.

    soundfile seeks after every read of a seekable file, which fails on a FLAC of unknown length and decodes twice.
    """

    def seekable(self) -> bool:
        return False


def read_audio(path: str | os.PathLike[str], *, sample_rate: float) -> NDArray[np.float32]:
    """Decode one audio file, mix it down to mono and resample it.

    Parameters
    ----------
    path : str or path-like
        A wav, flac, ogg (vorbis, opus) or mp3 file of any sample rate from 1 kHz to 1 MHz and up to 64 channels,
        which are averaged.
    sample_rate : float
        Rate of the result, in Hz.

    Returns
    -------
    ndarray of shape (n_times,), float32
        Integer formats span [-1, 1]; float formats are taken as they are.

    Raises
    ------
    AudioFileError
        The file is missing, a folder, empty, no audio, corrupt, shorter than its header declares, without samples,
        or holds NaN or infinite samples; or its header is beyond the limits of this module.
    """
    with closing(open_audio(path)) as stream:
        rate = stream.samplerate
        clip = _decode(stream, path)
    return finish_clip(clip, rate, sample_rate, path)


def finish_clip(
    clip: NDArray[np.float32], rate: float, sample_rate: float, path: str | os.PathLike[str]
) -> NDArray[np.float32]:
    """Check samples of a file (n,) at `rate` Hz and resample them to `sample_rate` Hz."""
    n_times = resampled_length(len(clip), rate, sample_rate)
    if n_times > MAX_FRAMES:
        raise _too_long(str(os.fspath(path)), n_times)
    check_samples(clip, f"{str(os.fspath(path))!r}", error=AudioFileError)
    return resample(clip, rate, sample_rate)


def audio_length(path: str | os.PathLike[str], *, sample_rate: float) -> int:
    """Count the samples that `read_audio` would return, from the header alone where it tells; the same errors."""
    with closing(open_audio(path)) as stream:
        n_frames = stream.frames if stream.frames <= MAX_FRAMES else len(_decode(stream, path))
        return resampled_length(n_frames, stream.samplerate, sample_rate)


def check_samples(clip: NDArray[np.float32], name: str, *, error: type[ValueError] = ValueError) -> None:
    """Raise unless a clip (n,) has samples and all are finite and of a size that float32 can square and sum."""
    if len(clip) == 0:
        raise error(f"{name} holds no samples; expected at least one.")
    lowest, highest = clip.min(), clip.max()
    if lowest >= -MAX_AMPLITUDE and highest <= MAX_AMPLITUDE:
        return
    bad = ~np.isfinite(clip)
    if not bad.any():
        peak = max(-lowest, highest)
        raise error(f"{name} holds samples up to {peak:.3g}; expected at most {MAX_AMPLITUDE:.0e}. Scale it down.")
    first = int(np.argmax(bad))
    raise error(f"{name} holds {bad.sum()} NaN or infinite samples, the first at {first}; expected finite numbers.")


def open_audio(path: str | os.PathLike[str], *, any_length: bool = False) -> soundfile.SoundFile:
    """Open a file whose header has been checked; one of any length where it is read a window at a time."""
    source = _checked_source(path)
    try:
        stream = _ForwardOnly(source)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        raise AudioFileError(f"{str(os.fspath(path))!r} cannot be decoded ({_reason(error)}); {_EXPECTED}.") from error
    try:
        _check_header(stream, path, any_length=any_length)
    except AudioFileError:
        stream.close()
        raise
    return stream


def _checked_source(path: str | os.PathLike[str]) -> str | bytes | io.BytesIO:
    """Return the path, or the mended bytes of a WAV whose writer never filled in its length."""
    name = str(os.fspath(path))  # not NumPy's str, which shows as np.str_
    try:
        status = os.stat(name)
        if stat.S_ISDIR(status.st_mode):
            raise AudioFileError(f"{name!r} is a folder; {_EXPECTED}.")
        if not stat.S_ISREG(status.st_mode):
            raise AudioFileError(f"{name!r} is not a regular file; {_EXPECTED}.")
        if status.st_size == 0:
            raise AudioFileError(f"{name!r} is empty (0 bytes); {_EXPECTED}.")
        with Path(name).open("rb") as file:
            magic = file.read(12)
            if not _is_known(magic):
                raise AudioFileError(f"{name!r} is no audio file (it starts with {magic!r}); {_EXPECTED}.")
            data = find_wav_data(file) if is_wav(magic) else None
            if data is not None and data.declared is not None and data.declared > data.held:
                raise AudioFileError(
                    f"{name!r} is cut short: its header declares {data.declared} bytes of samples, "
                    f"the file holds {data.held}."
                )
            if data is None or not data.unset:
                # a POSIX name is bytes, which need not be UTF-8
                return name if os.name == "nt" else os.fsencode(name)
            file.seek(0)
            mended = bytearray(file.read())
    except AudioFileError:
        raise
    except FileNotFoundError as error:
        raise AudioFileError(f"{name!r} does not exist; {_EXPECTED}.") from error
    except (OSError, ValueError) as error:
        raise AudioFileError(f"{name!r} cannot be opened ({_reason(error)}); {_EXPECTED}.") from error
    mended[data.offset - 4 : data.offset] = b"\xff\xff\xff\xff"
    return io.BytesIO(mended)


def _is_known(magic: bytes) -> bool:
    if magic[:4] in (b"fLaC", b"OggS") or magic[:3] == b"ID3" or is_wav(magic):
        return True
    return len(magic) > 1 and magic[0] == 0xFF and magic[1] & 0xE0 == 0xE0  # MPEG audio's frame sync


def _check_header(stream: soundfile.SoundFile, path: str | os.PathLike[str], *, any_length: bool) -> None:
    name = str(os.fspath(path))  # not NumPy's str, which shows as np.str_
    if stream.format not in FORMATS:
        raise AudioFileError(f"{name!r} is a {stream.format} file; {_EXPECTED}.")
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise AudioFileError(f"{name!r} declares {stream.channels} channels; expected 1 to {MAX_CHANNELS}.")
    if not MIN_SAMPLE_RATE <= stream.samplerate <= MAX_SAMPLE_RATE:
        raise AudioFileError(
            f"{name!r} declares a sample rate of {stream.samplerate} Hz; "
            f"expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz."
        )
    if stream.frames > MAX_FRAMES and not (any_length or of_unknown_length(stream)):
        raise _too_long(name, stream.frames)


def of_unknown_length(stream: soundfile.SoundFile) -> bool:
    """Whether the header does not tell how long the file is."""
    return bool(stream.frames == np.iinfo(np.int64).max)


def _too_long(name: str, n_frames: int) -> AudioFileError:
    return AudioFileError(f"{name!r} is {n_frames} samples long; expected at most {MAX_FRAMES}. Cut it into parts.")


def _decode(stream: soundfile.SoundFile, path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """All frames of an open file, mixed down: (n_frames,)."""
    blocks = []
    count = 0
    for block in decode_blocks(stream, path):
        blocks.append(block)
        count += len(block)
        if count > MAX_FRAMES:
            raise _too_long(str(os.fspath(path)), count)
    return blocks[0] if len(blocks) == 1 else np.concatenate([*blocks, np.empty(0, dtype=np.float32)])


def decode_blocks(
    stream: soundfile.SoundFile, path: str | os.PathLike[str], *, start: int = 0, n_samples: int = READ_SAMPLES
) -> Generator[NDArray[np.float32]]:
    """Frames of an open file from `start` on, where it stands, mixed down: blocks (n,) of `n_samples` over channels.

    Raises AudioFileError where the file is corrupt, and at its end if it is shorter than its header declares.
    """
    name = str(os.fspath(path))  # not NumPy's str, which shows as np.str_
    declared = stream.frames
    read_frames = max(n_samples // stream.channels, 1)
    count = start
    while count < declared:
        wanted = min(read_frames, declared - count)
        try:
            block = stream.read(wanted, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, ValueError) as error:
            raise AudioFileError(
                f"{name!r} is corrupt somewhere in samples {count} to {count + wanted} ({_reason(error)})."
            ) from error
        with np.errstate(invalid="ignore", over="ignore"):
            mixed = block[:, 0] if stream.channels == 1 else block.mean(axis=1)
        count += len(block)
        yield mixed
        if len(block) < wanted:
            break
    slack = 2 * 1152 + MP3_SLACK * declared if stream.format == "MP3" else 0
    if count + slack < declared and not of_unknown_length(stream):
        raise AudioFileError(f"{name!r} is cut short: its header declares {declared} samples, it holds {count}.")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or getattr(error, "error_string", None) or error).rstrip(".")
