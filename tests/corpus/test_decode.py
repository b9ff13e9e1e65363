"""Files are decoded ahead in order, within the budget, and never wait for each other for ever."""

import threading
import time

import numpy as np
import pytest
import soundfile

from leaf_sklearn._clips.audio import AudioFileError, read_audio
from leaf_sklearn._clips.segments import Grid, read_windows
from leaf_sklearn.corpus import _decode
from leaf_sklearn.corpus._decode import Budget, Stopped, decode_ahead

RATE = 8_000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Thirty files of 0.05 to 1 second, the longest ones among short ones."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for number in range(30):
        n_times = RATE if number % 10 == 3 else 400 + 10 * number
        soundfile.write(folder / f"{number:02d}.wav", rng.normal(0, 0.1, n_times), RATE)
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("max_samples", [10, 3_000, 10**9])
def test_clips_come_in_order_whatever_the_budget(files, threads, max_samples):
    found = list(decode_ahead(files, sample_rate=RATE, grid=None, threads=threads, max_samples=max_samples))
    assert [decoded.path for decoded in found] == [path for path in files for _ in range(2)]
    for decoded, end in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(decoded.clip, read_audio(decoded.path, sample_rate=RATE))
        assert end.clip is None and end.error is None


@pytest.mark.parametrize("max_samples", [10, 1_000, 10**9])
def test_windows_come_in_order_whatever_the_budget(files, max_samples):
    grid = Grid(0.05, 0.02)
    found = list(decode_ahead(files, sample_rate=RATE, grid=grid, threads=2, max_samples=max_samples))
    expected = [(path, start) for path in files for start, _ in read_windows(path, grid, sample_rate=RATE)]
    assert [(decoded.path, decoded.start) for decoded in found if decoded.clip is not None] == expected


def test_what_is_decoded_ahead_stays_within_the_budget(files, monkeypatch):
    held, peaks = 0, []
    put = _decode.SimpleQueue.put

    class Counting(_decode.SimpleQueue):
        def put(self, decoded):
            nonlocal held
            held += 0 if decoded.clip is None else len(decoded.clip)
            peaks.append(held)
            put(self, decoded)

    monkeypatch.setattr(_decode, "SimpleQueue", Counting)
    for decoded in decode_ahead(files, sample_rate=RATE, grid=Grid(0.05, 0.05), threads=3, max_samples=2_000):
        time.sleep(0.001)
        held -= 0 if decoded.clip is None else len(decoded.clip)
    assert 1_000 < max(peaks) <= 2_000 + RATE // 20


def test_a_bad_file_ends_with_its_error_and_the_next_go_on(files, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF" * 5)
    paths = [files[0], str(broken), str(tmp_path / "missing.flac"), files[1]]
    ends = [each for each in decode_ahead(paths, sample_rate=RATE, grid=None, threads=2) if each.clip is None]
    assert [end.error is None for end in ends] == [True, False, False, True]
    assert "broken.wav" in str(ends[1].error) and "missing.flac" in str(ends[2].error)
    assert isinstance(ends[1].error, AudioFileError)


def test_other_errors_are_raised_and_threads_end(files, monkeypatch):
    def fail(path, *, sample_rate):
        if path == files[5]:
            raise MemoryError("full")
        return read_audio(path, sample_rate=sample_rate)

    monkeypatch.setattr(_decode, "read_audio", fail)
    with pytest.raises(MemoryError, match="full"):
        list(decode_ahead(files, sample_rate=RATE, grid=None, threads=2, max_samples=100))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_a_reader_that_stops_ends_the_threads(files):
    clips = decode_ahead(files, sample_rate=RATE, grid=None, threads=2, max_samples=100)
    next(clips)
    clips.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_a_stopped_budget_lets_nobody_wait():
    budget = Budget(10)
    budget.take(10, 0)
    caught = []

    def wait():
        try:
            budget.take(1, 1)
        except Stopped as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    budget.stop()
    thread.join(5)
    assert len(caught) == 1
