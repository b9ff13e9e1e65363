"""Damaged files, by the hundred: each decodes to finite samples or raises the error that names it, and soon."""

import struct
import time
from collections import Counter

import numpy as np
import psutil
import pytest
import soundfile

from leaf_sklearn._clips.audio import AudioFileError, read_audio

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

SECONDS, MEGABYTES = 10.0, 256


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


MUTATIONS = (
    flip_bits,
    truncate,
    overwrite_field,
    overwrite_header_bytes,
    cut_out,
    insert_noise,
    overwrite_with_nan,
)


def checksums_mended(content):
    """Ogg pages with the right checksum, or libogg would drop a damaged page before any decoder sees it."""
    at = content.find(b"OggS")
    while at >= 0 and at + 27 <= len(content):
        n_segments = content[at + 26]
        end = at + 27 + n_segments + sum(content[at + 27 : at + 27 + n_segments])
        content[at + 22 : at + 26] = bytes(4)
        content[at + 22 : at + 26] = struct.pack("<I", ogg_checksum(content[at:end]))
        at = content.find(b"OggS", at + 4)
    return content


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


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    x = np.random.default_rng(0).normal(0.0, 0.1, (3_000, 2)).astype(np.float32)
    for name, options in SOURCES.items():
        soundfile.write(folder / name, x, 16_000, **options)
    return {name: (folder / name).read_bytes() for name in SOURCES}


def outcome(path):
    try:
        clip = read_audio(path, sample_rate=16_000)
    except AudioFileError as error:
        assert str(path) in str(error)
        return "refused"
    assert clip.dtype == np.float32 and clip.ndim == 1 and len(clip) > 0 and np.isfinite(clip).all()
    return "decoded"


@pytest.mark.parametrize("seeds", [range(220), pytest.param(range(1_000, 3_000), marks=pytest.mark.slow)], ids=len)
def test_damaged_files_are_decoded_or_refused(sources, tmp_path, seeds):
    assert all(outcome_of_whole(content, tmp_path / name) == "decoded" for name, content in sources.items())
    outcomes = Counter()
    memory = psutil.Process().memory_info().rss
    for seed in seeds:
        rng = np.random.default_rng(seed)
        name = list(SOURCES)[seed % len(SOURCES)]
        content = bytearray(sources[name])
        MUTATIONS[int(rng.integers(len(MUTATIONS)))](content, rng)
        if name.endswith(".ogg") and rng.uniform() < 0.5:
            checksums_mended(content)
        path = tmp_path / f"damaged_{name}"
        path.write_bytes(content)
        start = time.perf_counter()
        outcomes[outcome(path)] += 1
        assert time.perf_counter() - start < SECONDS, f"seed {seed}"
    assert psutil.Process().memory_info().rss - memory < MEGABYTES * 2**20
    assert min(outcomes["decoded"], outcomes["refused"]) > len(seeds) // 5


def outcome_of_whole(content, path):
    path.write_bytes(content)
    return outcome(path)
