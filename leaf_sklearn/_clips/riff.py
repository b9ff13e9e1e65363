"""What a WAV header promises: libsndfile goes by the real size of the file, and reads a half-cut WAV without a word."""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

MAX_CHUNKS = 10_000
"""Chunks looked at before the sound data; a real file holds a handful."""

UNKNOWN_SIZES = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
"""What ffmpeg writes as a length when it streams (32 and 64 bits)."""

SOX_UNKNOWN_SIZE = 0x7FFFF000
"""What SoX writes when it streams, rounded down to whole frames."""

SOX_ROUNDING = 4096


@dataclass(frozen=True)
class WavData:
    """The data chunk of a WAV file, as its header has it."""

    offset: int
    """Where the samples start, in bytes."""
    declared: int | None
    """Bytes of samples the header promises; None where the writer streamed and did not know."""
    held: int
    """Bytes from `offset` to the end of the file."""
    unset: bool
    """True where the size was left at zero although samples follow; libsndfile then sees no samples."""


def is_wav(magic: bytes) -> bool:
    """Whether a file's first 12 bytes are those of a WAV file."""
    return magic[:4] in (b"RIFF", b"RIFX", b"RF64") and magic[8:12] == b"WAVE"


def find_wav_data(file: BinaryIO) -> WavData | None:
    """Walk the chunks of a RIFF, RIFX or RF64 file; None where no data chunk is found."""
    size_of_file = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(12)
    order = ">" if magic[:4] == b"RIFX" else "<"
    (riff_size,) = struct.unpack(f"{order}I", magic[4:8])
    size_in_ds64 = None
    for _ in range(MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return None
        name, (size,) = header[:4], struct.unpack(f"{order}I", header[4:])
        start = file.tell()
        if name == b"data":
            return _data_chunk(start, size, size_in_ds64, riff_size, size_of_file)
        if name == b"ds64" and size >= 16:
            body = file.read(16)
            if len(body) == 16:
                size_in_ds64 = struct.unpack(f"{order}Q", body[8:])[0]
        file.seek(start + size + size % 2)
    return None


def _data_chunk(offset: int, size: int, size_in_ds64: int | None, riff_size: int, size_of_file: int) -> WavData:
    if size_in_ds64 is not None and size == UNKNOWN_SIZES[0]:
        size = size_in_ds64
    held = max(size_of_file - offset, 0)
    # A true empty file has a RIFF size that covers all chunks; an unfinished one has none.
    unset = size == 0 and held > 0 and (riff_size + 8 <= offset or riff_size == UNKNOWN_SIZES[0])
    streamed = size in UNKNOWN_SIZES or SOX_UNKNOWN_SIZE - SOX_ROUNDING < size <= SOX_UNKNOWN_SIZE
    return WavData(offset, None if unset or streamed else size, held, unset)
