"""Decoding: what libsndfile reads is the oracle for good files; broken ones are refused by name."""

import struct
import sys

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from leaf_sklearn._clips.audio import MAX_CHANNELS, AudioFileError, audio_length, read_audio
from leaf_sklearn._clips.resample import resample, resampled_length

FORMATS = {
    "a.wav": {},
    "a24.wav": {"subtype": "PCM_24"},
    "au8.wav": {"subtype": "PCM_U8"},
    "float.wav": {"subtype": "FLOAT"},
    "double.wav": {"subtype": "DOUBLE"},
    "ulaw.wav": {"subtype": "ULAW"},
    "ext.wav": {"format": "WAVEX"},
    "big.wav": {"endian": "BIG"},
    "rf64.wav": {"format": "RF64"},
    "a.flac": {},
    "a.ogg": {},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.mp3": {},
}
UNCOMPRESSED = ["a.wav", "a24.wav", "float.wav", "ext.wav", "big.wav", "rf64.wav"]


def tone(n_times, rate, hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(n_times) / rate)).astype(np.float32)


def write(folder, name, x, rate):
    path = folder / name
    soundfile.write(path, x, rate, **FORMATS[name])
    return path


def patched(path, at, new):
    """The file with some bytes overwritten."""
    content = bytearray(path.read_bytes())
    content[at : at + len(new)] = new
    path.write_bytes(content)
    return path


def data_size_at(path):
    return path.read_bytes().find(b"data") + 4


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_as_libsndfile_reads_it(tmp_path, name):
    path = write(tmp_path, name, tone(48_000, 48_000), 48_000)
    clip = read_audio(path, sample_rate=48_000)
    assert clip.dtype == np.float32 and clip.shape == (48_000,)
    assert np.array_equal(clip, soundfile.read(path, dtype="float32")[0])
    assert audio_length(str(path), sample_rate=48_000) == 48_000
    inner = slice(4_000, 44_000)
    assert np.corrcoef(clip[inner], tone(48_000, 48_000)[inner])[0, 1] > 0.99


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(tmp_path, name, channels):
    if name == "a.mp3" and channels == 6:
        pytest.skip("mp3 has two channels at most")
    rng = np.random.default_rng(0)
    levels = rng.uniform(0.1, 1.0, channels).astype(np.float32)
    path = write(tmp_path, name, tone(48_000, 48_000)[:, None] * levels, 48_000)
    clip = read_audio(path, sample_rate=48_000)
    decoded = soundfile.read(path, dtype="float32")[0]
    np.testing.assert_allclose(clip, decoded.mean(axis=1), atol=1e-6)


def test_long_files_are_decoded_in_blocks(tmp_path, monkeypatch):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (10_000, 2)).astype(np.float32)
    whole = read_audio(write(tmp_path, "float.wav", x, 16_000), sample_rate=16_000)
    monkeypatch.setattr("leaf_sklearn._clips.audio.READ_SAMPLES", 999)
    for name in ("float.wav", "a.flac", "a.ogg"):
        clip = read_audio(write(tmp_path, name, x, 16_000), sample_rate=16_000)
        assert clip.shape == whole.shape
    np.testing.assert_array_equal(read_audio(tmp_path / "float.wav", sample_rate=16_000), whole)


RATES = [(8_000, 16_000), (44_100, 16_000), (48_000, 16_000), (22_050, 16_000), (44_101, 16_000), (16_000, 44_100)]


@pytest.fixture(params=["soxr", "scipy"])
def resampler(request, monkeypatch):
    if request.param == "scipy":
        monkeypatch.setitem(sys.modules, "soxr", None)
    else:
        pytest.importorskip("soxr")
    return request.param


@pytest.mark.parametrize(("rate_in", "rate_out"), RATES)
def test_a_resampled_tone_stays_that_tone(resampler, rate_in, rate_out):
    resampled = resample(tone(rate_in, rate_in), rate_in, rate_out)
    expected = tone(rate_out, rate_out)
    inner = slice(rate_out // 10, -rate_out // 10)
    assert resampled.dtype == np.float32 and resampled.shape == expected.shape
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=2e-3)


def test_tones_over_the_new_nyquist_frequency_vanish(resampler):
    resampled = resample(tone(44_100, 44_100, hz=12_000.0), 44_100, 16_000)
    assert np.abs(resampled[1_600:-1_600]).max() < 1e-3


@pytest.mark.parametrize("n_times", [1, 2, 3, 7, 100, 441, 4_410])
def test_the_resampled_length_is_rounded_up_whatever_the_resampler(resampler, n_times):
    for rate_in, rate_out in [*RATES, (1_000_000, 16_000), (1_000, 16_000), (11_025, 16_000)]:
        resampled = resample(np.ones(n_times, dtype=np.float32), rate_in, rate_out)
        assert len(resampled) == resampled_length(n_times, rate_in, rate_out) == -(-n_times * rate_out // rate_in)
        assert np.isfinite(resampled).all()


def test_the_last_resampled_sample_is_no_padding(resampler):
    for n_times in (100, 101, 102):
        assert resample(np.ones(n_times, dtype=np.float32), 44_100, 16_000).min() > 0.3


def test_both_resamplers_agree_on_a_band_limited_clip():
    soxr = pytest.importorskip("soxr")
    x = resample_poly(np.random.default_rng(0).normal(size=12_000), 4, 1).astype(np.float32)
    ours = resample(x, 48_000, 16_000)
    np.testing.assert_allclose(ours, soxr.resample(x, 48_000, 16_000), atol=1e-6)
    librosa = pytest.importorskip("librosa")
    np.testing.assert_allclose(ours, librosa.resample(x, orig_sr=48_000, target_sr=16_000), atol=1e-6)


def test_equal_rates_leave_the_samples_alone():
    x = tone(100, 16_000)
    assert resample(x, 16_000, 16_000.0) is x


def test_files_of_another_rate_are_resampled(tmp_path, resampler):
    for name, rate in (("a.wav", 44_100), ("a.flac", 8_000), ("a.ogg", 22_050), ("a.mp3", 44_100)):
        path = write(tmp_path, name, np.stack([tone(rate, rate)] * 2, axis=1), rate)
        clip = read_audio(path, sample_rate=16_000)
        assert clip.shape == (16_000,)
        assert audio_length(path, sample_rate=16_000) == 16_000
        spectrum = np.abs(np.fft.rfft(clip))
        assert np.argmax(spectrum) == 440


def refused(path, *words):
    """Both ways in raise our error, which names the file and says these words."""
    with pytest.raises(AudioFileError) as caught:
        read_audio(path, sample_rate=16_000)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_missing_files_folders_and_other_files_are_refused(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.txt").write_text("no audio at all\n" * 100)
    (tmp_path / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    refused(tmp_path / "missing.wav", "does not exist", "expected")
    refused(tmp_path / "folder.wav", "folder", "expected")
    refused(tmp_path / "empty.wav", "0 bytes", "expected")
    refused(tmp_path / "notes.txt", "no audio", "expected a wav, flac, ogg or mp3 file")
    refused(tmp_path / "picture.wav", "no audio", "PNG")
    refused("/dev/zero", "regular file")


def test_other_audio_formats_are_refused(tmp_path):
    soundfile.write(tmp_path / "a.aiff", tone(100, 8_000), 8_000)
    refused(tmp_path / "a.aiff", "expected a wav, flac, ogg or mp3 file")


@pytest.mark.parametrize("name", [*UNCOMPRESSED, "ulaw.wav", "a.ogg"])
def test_files_without_a_sample_are_refused(tmp_path, name):
    refused(write(tmp_path, name, np.zeros((0, 2)), 16_000), "no samples")


@pytest.mark.parametrize("name", [*UNCOMPRESSED, "ulaw.wav", "au8.wav"])
@pytest.mark.parametrize("kept", [0.99, 0.5])
def test_a_wav_that_holds_less_than_it_declares_is_refused(tmp_path, name, kept):
    path = write(tmp_path, name, tone(16_000, 16_000), 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert soundfile.info(path).frames > 0, "libsndfile is content: the check under test is ours"
    refused(path, "cut short", "declares")


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.25])
def test_a_cut_flac_or_mp3_is_refused(tmp_path, name, kept):
    path = write(tmp_path, name, np.random.default_rng(0).normal(0, 0.1, 48_000), 16_000)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    refused(path)


def test_damage_in_the_middle_of_an_mp3_is_located(tmp_path):
    path = write(tmp_path, "a.mp3", np.random.default_rng(0).normal(0, 0.1, 48_000), 16_000)
    content = bytearray(path.read_bytes())
    start, stop = len(content) // 2, 3 * len(content) // 4
    content[start:stop] = np.random.default_rng(0).bytes(stop - start)
    path.write_bytes(content)
    refused(path, "a.mp3", "corrupt somewhere in samples 0 to ")


def test_a_flac_that_declares_too_many_samples_is_refused(tmp_path):
    path = write(tmp_path, "a.flac", tone(16_000, 16_000), 16_000)
    refused(patched(path, 22, struct.pack(">I", 16_001)), "cut short", "16001")
    refused(patched(path, 22, b"\xff\xff\xff\xff"), "samples long; expected at most")


def test_a_flac_of_unknown_length_is_read_to_its_end(tmp_path):
    path = write(tmp_path, "a.flac", tone(16_000, 16_000), 16_000)
    expected = read_audio(path, sample_rate=16_000)
    patched(path, 22, bytes(4))
    np.testing.assert_array_equal(read_audio(path, sample_rate=16_000), expected)
    assert audio_length(path, sample_rate=8_000) == 8_000


@pytest.mark.parametrize("name", ["a.wav", "ext.wav", "big.wav"])
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_streaming_headers_without_a_length_are_tolerated(tmp_path, name, size):
    path = write(tmp_path, name, np.stack([tone(16_000, 16_000)] * 2, axis=1), 16_000)
    expected = read_audio(path, sample_rate=16_000)
    order = ">" if name == "big.wav" else "<"
    patched(path, 4, struct.pack(f"{order}I", 0 if size == 0 else 0xFFFFFFFF))
    patched(path, data_size_at(path), struct.pack(f"{order}I", size))
    np.testing.assert_array_equal(read_audio(path, sample_rate=16_000), expected)


def test_chunks_of_odd_length_are_padded(tmp_path):
    path = write(tmp_path, "a.wav", tone(1_000, 16_000), 16_000)
    content = path.read_bytes()
    note = b"note" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(content[:12] + note + content[12:])
    assert len(read_audio(path, sample_rate=16_000)) == 1_000
    path.write_bytes(path.read_bytes()[:-2])
    refused(path, "declares 2000 bytes of samples, the file holds 1998")


def test_chunks_after_an_empty_data_chunk_are_not_taken_for_sound(tmp_path):
    path = write(tmp_path, "a.wav", np.zeros(0), 16_000)
    content = path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO"
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    refused(path, "no samples")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    x = np.stack([tone(1_000, 16_000)] * 2, axis=1)
    x[700, 1] = bad
    refused(write(tmp_path, "float.wav", x, 16_000), "1 NaN or infinite", "700", "finite")


def test_samples_that_would_overflow_are_refused(tmp_path):
    x = tone(1_000, 16_000)
    x[700] = -1e30
    refused(write(tmp_path, "float.wav", x, 16_000), "1e+30", "Scale")


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 10_000_000])
def test_absurd_sample_rates_are_refused(tmp_path, rate):
    path = write(tmp_path, "a.wav", tone(1_000, 16_000), 16_000)
    refused(patched(path, 24, struct.pack("<I", rate)), f"{rate} Hz", "expected 1000 to 1000000")


def test_absurd_channel_counts_are_refused(tmp_path):
    soundfile.write(tmp_path / "many.wav", np.zeros((10, 500)), 16_000)
    refused(tmp_path / "many.wav", "500 channels", f"expected 1 to {MAX_CHANNELS}")
    none = write(tmp_path, "a.wav", tone(1_000, 16_000), 16_000)
    refused(patched(none, 22, struct.pack("<H", 0)))


def test_clips_that_grow_too_long_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path, "a.flac", tone(1_000, 8_000), 8_000)
    monkeypatch.setattr("leaf_sklearn._clips.audio.MAX_FRAMES", 1_999)
    assert len(read_audio(path, sample_rate=8_000)) == 1_000
    refused(path, "2000 samples long")
    monkeypatch.setattr("leaf_sklearn._clips.audio.MAX_FRAMES", 999)
    patched(path, 22, bytes(4))
    refused(path, "samples long")


def test_damage_inside_a_flac_is_refused_or_stays_finite(tmp_path):
    path = write(tmp_path, "a.flac", np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000)
    patched(path, path.stat().st_size // 2, bytes(2_000))
    refused(path)
