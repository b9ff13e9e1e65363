"""Damaged audio files, each from a seed; `PYTHONPATH=tests python -m clips.mutations` counts what becomes of them."""

import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
SOURCES = {
    "pcm.wav": {},
    "float.wav": {"subtype": "FLOAT"},
    "adpcm.wav": {"subtype": "IMA_ADPCM"},
    "ulaw.wav": {"subtype": "ULAW"},
    "extensible.wav": {"format": "WAVEX"},
    "rf64.wav": {"format": "RF64"},
    "pcm.flac": {},
    "vorbis.ogg": {},
    "opus.ogg": {"format": "OGG", "subtype": "OPUS"},
    "constant.mp3": {"bitrate_mode": "CONSTANT"},
    "variable.mp3": {"bitrate_mode": "VARIABLE"},
}
HEADER = 128
"""Bytes from the start of a file in which its lengths, rates and channel counts stand."""

FIELDS = (0, 1, 500, 10_000_000, 0x7FFFFFFF, 0xFFFFFFFF)
"""What is written over a header field: none, 1 Hz, 500 channels, 10 MHz, huge lengths."""


def flip_bits(content, rng):
    for at in rng.integers(0, len(content), rng.integers(1, 20)):
        content[at] ^= 1 << int(rng.integers(8))


def truncate(content, rng):
    del content[int(rng.integers(len(content))) :]


def overwrite_field(content, rng):
    at = int(rng.integers(min(HEADER, len(content) - 4)))
    content[at : at + 4] = struct.pack(rng.choice(["<I", ">I"]), rng.choice(FIELDS))


def overwrite_header_bytes(content, rng):
    for at in rng.integers(0, min(HEADER, len(content)), rng.integers(1, 5)):
        content[at] = rng.integers(256)


def cut_out(content, rng):
    start, stop = sorted(rng.integers(0, len(content), 2))
    del content[start:stop]


def insert_noise(content, rng):
    at = int(rng.integers(len(content)))
    content[at:at] = rng.bytes(int(rng.integers(1, 500)))


def overwrite_with_nan(content, rng):
    at = int(rng.integers(len(content) // 4)) * 4
    content[at : at + 4] = struct.pack("<f", rng.choice([np.nan, np.inf, 1e38]))


def set_channels(content, rng):
    set_format(content, rng, channels=int(rng.choice([0, 500])))


def set_rate(content, rng):
    set_format(content, rng, rate=int(rng.choice([1, 10_000_000])))


def declare_a_huge_length(content, rng):
    huge = int(rng.choice([0x7FFFFFF0, 0xFFFFFFF0]))
    at = content.find(b"data") + 4
    if at > 3:
        content[at : at + 4] = struct.pack("<I", huge)
    elif content[:4] == b"fLaC":
        content[21] |= 0x0F  # the length's upper bits
        content[22:26] = struct.pack(">I", huge)
    else:
        overwrite_field(content, rng)


def set_format(content, rng, *, channels=None, rate=None):
    """Write over the channels or the rate where WAV, FLAC and Ogg have them, and an MP3's header at random."""
    at = content.find(b"fmt ") + 8
    if at > 7:
        if channels is not None:
            content[at + 2 : at + 4] = struct.pack("<H", channels)
        if rate is not None:
            content[at + 4 : at + 8] = struct.pack("<I", rate)
    elif content[:4] == b"fLaC":
        # 20 bits of rate, 3 of channels less one
        bits = int.from_bytes(content[18:22], "big")
        if rate is not None:
            bits = bits & 0xFFF | min(rate, 0xFFFFF) << 12
        if channels is not None:
            bits = bits & ~(7 << 9) | (7 if channels else 0) << 9
        content[18:22] = bits.to_bytes(4, "big")
    else:
        is_opus = b"OpusHead" in content
        head = content.find(b"OpusHead" if is_opus else b"vorbis")
        if head < 0:
            overwrite_header_bytes(content, rng)
        elif channels is not None:
            content[head + (9 if is_opus else 10)] = min(channels, 255)
        else:
            start = head + (12 if is_opus else 11)
            content[start : start + 4] = struct.pack("<I", rate)


MUTATIONS = (
    flip_bits,
    truncate,
    overwrite_field,
    overwrite_header_bytes,
    cut_out,
    insert_noise,
    overwrite_with_nan,
    set_channels,
    set_rate,
    declare_a_huge_length,
)


def write_sources(folder):
    """Write the whole files; returns their contents by name."""
    x = np.random.default_rng(0).normal(0.0, 0.1, (3_000, 2)).astype(np.float32)
    for name, options in SOURCES.items():
        soundfile.write(folder / name, x, RATE, **options)
    return {name: (folder / name).read_bytes() for name in SOURCES}


def mutated(sources, seed):
    """One damaged file: name of its source, of the damage, and the bytes."""
    rng = np.random.default_rng(seed)
    name = list(SOURCES)[seed % len(SOURCES)]
    content = bytearray(sources[name])
    mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
    while content == sources[name]:
        mutation(content, rng)
    if name.endswith(".ogg") and rng.uniform() < 0.5:
        mend_checksums(content)
    return name, mutation.__name__, bytes(content)


def mend_checksums(content):
    """Give Ogg pages the right checksum, or libogg would drop a damaged page before any decoder sees it."""
    at = content.find(b"OggS")
    while at >= 0 and at + 27 <= len(content):
        n_segments = content[at + 26]
        end = at + 27 + n_segments + sum(content[at + 27 : at + 27 + n_segments])
        content[at + 22 : at + 26] = bytes(4)
        content[at + 22 : at + 26] = struct.pack("<I", ogg_checksum(content[at:end]))
        at = content.find(b"OggS", at + 4)


def ogg_checksum(page):
    remainder = 0
    for byte in page:
        remainder = ((remainder << 8) & 0xFFFFFFFF) ^ OGG_TABLE[(remainder >> 24) ^ byte]
    return remainder


def ogg_table_entry(byte):
    remainder = byte << 24
    for _ in range(8):
        remainder = ((remainder << 1) ^ (0x04C11DB7 if remainder & 0x80000000 else 0)) & 0xFFFFFFFF
    return remainder


OGG_TABLE = [ogg_table_entry(byte) for byte in range(256)]


def count(seeds):
    """Decode damaged files: outcomes by kind of damage, and the longest time that one took, in seconds."""
    from leaf_sklearn._clips.audio import AudioFileError, read_audio

    outcomes, longest = Counter(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        sources = write_sources(Path(folder))
        for seed in seeds:
            name, damage, content = mutated(sources, seed)
            path = Path(folder) / f"damaged_{name}"
            path.write_bytes(content)
            start = time.perf_counter()
            try:
                read_audio(path, sample_rate=RATE)
                outcomes[damage, "decoded"] += 1
            except AudioFileError:
                outcomes[damage, "refused"] += 1
            longest = max(longest, time.perf_counter() - start)
    return outcomes, longest


if __name__ == "__main__":
    outcomes, longest = count(range(1_000, 3_000))
    sys.stdout.write("| damage | files | decoded | refused |\n|---|---|---|---|\n")
    for mutation in [*MUTATIONS, None]:
        name = mutation and mutation.__name__
        decoded, refused = (
            sum(number for (damage, kind), number in outcomes.items() if kind == outcome and name in (None, damage))
            for outcome in ("decoded", "refused")
        )
        shown = "all" if name is None else name.replace("_", " ")
        sys.stdout.write(f"| {shown} | {decoded + refused} | {decoded} | {refused} |\n")
    sys.stdout.write(f"longest {longest:.2f} s\n")
