"""Every container and dtype gives the same clips; bad clips are named; batches and the cache keep their bounds."""

import pickle
from collections import UserList
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from scipy import sparse

from leaf_sklearn._clips.audio import AudioFileError, audio_length, read_audio
from leaf_sklearn._clips.cache import ClipCache
from leaf_sklearn._clips.clips import as_clips
from leaf_sklearn._clips.containers import clip_kind

RATE = 16_000


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def ragged(*lengths):
    return [noise(length, seed=length) for length in lengths]


def read_all(X, **options):
    clips = as_clips(X, sample_rate=RATE, **options)
    return [clips.read(i) for i in range(len(clips))]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for clip, reference in zip(found, expected, strict=True):
        assert clip.dtype == np.float32 and clip.dtype.isnative and clip.flags.c_contiguous
        np.testing.assert_array_equal(clip, reference)


@pytest.fixture
def files(tmp_path):
    """Three files of unequal length, rate and format, as paths."""
    paths = [tmp_path / name for name in ("a.wav", "b.flac", "c.ogg")]
    for path, rate, seconds in zip(paths, (16_000, 44_100, 8_000), (0.1, 0.2, 0.3), strict=True):
        soundfile.write(path, noise(int(rate * seconds), 2), rate)
    return paths


DTYPES = ["f2", "f4", "f8", ">f4", ">f8", "g", "i1", "u1", "i2", ">i2", "i4", "u4", "i8", "?"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["array", "ragged"])
def test_numbers_of_any_type_are_taken_as_they_are(dtype, kind):
    X = np.random.default_rng(0).integers(0, 100, (3, 50)).astype(dtype)
    expected = X.astype(np.float32)
    assert_same(read_all(X if kind == "array" else list(X)), expected)


def layouts(X, folder):
    """The same numbers, laid out in memory in other ways."""
    read_only = X.copy()
    read_only.flags.writeable = False
    stored = np.memmap(folder / "x.bin", dtype=X.dtype, mode="w+", shape=X.shape)
    stored[:] = X
    stored.flush()
    return {
        "Fortran": np.asfortranarray(X),
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "read-only": read_only,
        "memmap": np.memmap(folder / "x.bin", dtype=X.dtype, mode="r", shape=X.shape),
        "objects": X.astype(object),
        "frame": pd.DataFrame(X),
        "polars frame": pl.DataFrame(X),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_any_layout_of_a_table_gives_the_same_clips(tmp_path, dtype):
    X = (1000 * noise(3, 40)).astype(dtype)
    for name, table in layouts(X, tmp_path).items():
        assert clip_kind(table) == as_clips(table, sample_rate=RATE).kind == "array", name
        assert_same(read_all(table), X.astype(np.float32))
        if isinstance(table, np.ndarray) and table.dtype != object:
            assert_same(read_all(list(table)), X.astype(np.float32))


def objects(clips):
    array = np.empty(len(clips), dtype=object)
    array[:] = clips
    return array


RAGGED_CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "sequence": UserList,
    "objects": objects,
    "column of objects": lambda clips: objects(clips)[:, None],
    "lists": lambda clips: [clip.tolist() for clip in clips],
    "series in a list": lambda clips: [pd.Series(clip) for clip in clips],
    "pandas series": pd.Series,
    "pandas frame": lambda clips: pd.DataFrame({"audio": clips}, index=[7, 7, 1]),
    "polars series": lambda clips: pl.Series([clip.tolist() for clip in clips]),
    "polars frame": lambda clips: pl.DataFrame({"audio": [clip.tolist() for clip in clips]}),
}


@pytest.mark.parametrize("container", RAGGED_CONTAINERS)
def test_ragged_clips_may_come_in_any_container(container):
    clips = ragged(30, 1, 50)
    X = RAGGED_CONTAINERS[container](clips)
    assert clip_kind(X) == as_clips(X, sample_rate=RATE).kind == "ragged"
    assert_same(read_all(X), clips)


PATH_CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "strings": lambda paths: [str(path) for path in paths],
    "mixed": lambda paths: [paths[0], *map(str, paths[1:])],
    "array of strings": lambda paths: np.array([str(path) for path in paths]),
    "string dtype": lambda paths: np.array([str(path) for path in paths], dtype=np.dtypes.StringDType()),
    "objects": lambda paths: np.array(paths, dtype=object),
    "column": lambda paths: np.array([[str(path)] for path in paths]),
    "pandas series": lambda paths: pd.Series([str(path) for path in paths], index=[5, 3, 3]),
    "pandas objects": lambda paths: pd.Series(paths, dtype=object),
    "pandas categories": lambda paths: pd.Series([str(path) for path in paths], dtype="category"),
    "pandas frame": lambda paths: pd.DataFrame({"file": [str(path) for path in paths]}),
    "polars series": lambda paths: pl.Series([str(path) for path in paths]),
    "polars frame": lambda paths: pl.DataFrame({"file": [str(path) for path in paths]}),
}


@pytest.mark.parametrize("container", PATH_CONTAINERS)
def test_paths_may_come_in_any_container(files, container):
    X = PATH_CONTAINERS[container](files)
    assert clip_kind(X) == as_clips(X, sample_rate=RATE).kind == "files"
    assert_same(read_all(X), [read_audio(path, sample_rate=RATE) for path in files])


def test_arrays_of_another_rate_are_resampled():
    t = np.arange(44_100) / 44_100
    tone = np.sin(2 * np.pi * 440 * t)
    for X in ([tone, tone[:4_410]], np.stack([tone, tone])):
        clips = as_clips(X, sample_rate=RATE, input_sample_rate=44_100)
        assert len(clips.read(0)) == RATE
        assert np.argmax(np.abs(np.fft.rfft(clips.read(0)))) == 440


def test_lengths_are_known_without_decoding(files, monkeypatch):
    clips = as_clips(files, sample_rate=RATE)
    expected = [len(clips.read(i)) for i in range(3)]
    assert expected == [1_600, 3_200, 4_800]
    monkeypatch.setattr("leaf_sklearn._clips.audio._decode", None)
    assert [audio_length(file, sample_rate=RATE) for file in files] == expected


def test_clips_are_not_to_be_written_to(files):
    for X in (noise(2, 10), files):
        with pytest.raises(ValueError, match="read-only"):
            as_clips(X, sample_rate=RATE).read(0)[0] = 1.0


def refused(X, *words, error=ValueError):
    with pytest.raises(error) as caught:
        read_all(X)
    for word in words:
        assert word in str(caught.value)


def test_a_single_path_or_clip_is_answered_with_a_hint(files):
    for X in (str(files[0]), files[0], noise(100), noise(100).tolist(), pd.Series(noise(100)), pl.Series(noise(100))):
        refused(X, "wrap", "[X]")


@pytest.mark.parametrize("X", [[], (), np.empty(0), pd.Series([], dtype=object), pl.Series([], dtype=pl.String)])
def test_no_clips_are_refused(X):
    refused(X, "empty (0 clips)", "expected")


@pytest.mark.parametrize("X", [np.empty((0, 5)), np.empty((5, 0)), np.zeros((2, 3, 4)), pd.DataFrame({"a": []})])
def test_tables_without_clips_or_with_three_dimensions_are_refused(X):
    refused(X, "shape", "expected (n_clips, n_times)")


@pytest.mark.parametrize("X", [None, 3.0, iter([noise(3)]), {"a": noise(3)}, {1, 2}])
def test_what_holds_no_clips_is_refused(X):
    refused(X, "expected a 2-D array", error=TypeError)


def test_sparse_and_complex_tables_and_tables_of_strings_are_refused():
    refused(sparse.csr_array(noise(2, 3)), "Sparse", error=TypeError)
    refused(noise(2, 3) + 1j, "complex64", "expected real numbers")
    refused(np.array([["a.wav", "b.wav"]]), "one column of file paths")
    refused(np.array([[1.0, {}]], dtype=object), "not all numbers")
    refused(np.array([[1.0, None]], dtype=object), "Clip 0", "NaN")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["array", "ragged"])
def test_clips_that_are_not_finite_are_named(bad, kind):
    X = noise(4, 20).astype(np.float64)
    X[2, 5] = bad
    refused(X if kind == "array" else list(X), "Clip 2", "NaN or infinite", "5")


def test_clips_too_large_to_square_are_named():
    for value in (1e20, -1e300):
        X = noise(4, 20).astype(np.float64)
        X[2, 5] = value
        refused(X, "Clip 2")


@pytest.mark.parametrize(
    ("clip", "words"),
    [
        (np.empty(0), ["empty"]),
        ([], ["empty"]),
        (noise(100, 2), ["(100, 2)", "mono"]),
        ([[1.0, 2.0], [3.0, 4.0]], ["(2, 2)", "mono"]),
        ([[1.0], [3.0, 4.0]], ["1-D array"]),
        (None, ["None", "NoneType"]),
        (1.5, ["float"]),
        (["a", "b"], ["expected a 1-D array of numbers"]),
        (noise(5) * 1j, ["complex64"]),
        (np.array([1.0, None]), ["object"]),
        ("a.wav", ["'a.wav'", "all paths or all arrays"]),
        (Path("a.wav"), ["a.wav", "all paths or all arrays"]),
    ],
)
def test_a_bad_clip_in_a_list_is_named(clip, words):
    refused([*ragged(10, 20, 30), clip], "3", *words)


def test_channels_in_a_table_are_told():
    refused(noise(4, 2, 100), "shape (4, 2, 100)", "mono")
    with pytest.raises(ValueError, match="mono"):
        clip_kind(noise(4, 2, 100))


@pytest.mark.parametrize("pair", [(RATE, noise(50)), (noise(50), RATE), [RATE, noise(50)]])
def test_samples_with_their_rate_are_told(pair):
    """What scipy.io.wavfile.read, soundfile.read and librosa.load return."""
    refused([pair, pair], "X[0] is a ", " of 2 that holds an array", "the samples alone, without their rate")


@pytest.mark.parametrize("odd", [noise(10), None, np.nan, 3])
def test_what_is_no_path_among_paths_is_named(files, odd):
    refused([*files, odd], "X[3]", "all paths or all arrays")


@pytest.mark.parametrize("odd", [np.nan, 3])
def test_a_number_before_paths_is_named(files, odd):
    refused([odd, *files], f"X[0] is {odd}", "expected all paths")


def test_missing_files_and_folders_are_noticed_before_any_is_read(files, tmp_path):
    X = [files[0], tmp_path / "missing.wav", tmp_path]
    with pytest.raises(AudioFileError, match=r"2 of 3 files .*missing\.wav"):
        as_clips(X, sample_rate=RATE)


def test_a_broken_file_is_named_when_it_is_read(files, tmp_path):
    broken = tmp_path / "broken.wav"
    content = files[0].read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    clips = as_clips([*files, broken], sample_rate=RATE)
    assert len(clips.read(2)) == 4_800
    with pytest.raises(AudioFileError, match=r"broken\.wav"):
        list(clips.batches(2))


def test_take_gives_a_subset_that_shares_the_cache(files, monkeypatch):
    clips = as_clips(files, sample_rate=RATE)
    expected = [clips.read(i) for i in range(3)]
    monkeypatch.setattr("leaf_sklearn._clips.clips.read_audio", None)
    assert_same([clips.take([2, 0]).read(i) for i in range(2)], [expected[2], expected[0]])
    assert_same([clips.take([2, 0]).take([1]).read(0)], [expected[0]])
    assert len(clips.take(np.array([True, False, True]))) == 2


def test_errors_of_a_subset_name_the_index_in_x():
    X = noise(5, 10)
    X[3, 0] = np.nan
    with pytest.raises(ValueError, match="Clip 3"):
        as_clips(X, sample_rate=RATE).take([1, 3]).read(1)


def test_batches_hold_every_clip_in_order_and_pad_with_zeros():
    clips = ragged(5, 3, 9, 9, 2, 7, 1)
    batches = list(as_clips(clips, sample_rate=RATE).batches(3))
    assert [len(indices) for indices, _, _ in batches] == [3, 3, 1]
    assert np.concatenate([indices for indices, _, _ in batches]).tolist() == list(range(7))
    for indices, waveforms, lengths in batches:
        assert indices.dtype == lengths.dtype == np.int64 and waveforms.dtype == np.float32
        assert waveforms.shape == (len(indices), lengths.max())
        for i, row, length in zip(indices, waveforms, lengths, strict=True):
            np.testing.assert_array_equal(row[:length], clips[i])
            assert not row[length:].any()
        waveforms[:] = 0.0
    np.testing.assert_array_equal(clips[0], ragged(5)[0])


def test_batches_of_a_subset_number_its_own_clips():
    batches = list(as_clips(ragged(4, 5, 6), sample_rate=RATE).take([2, 1]).batches(8))
    assert batches[0][0].tolist() == [0, 1] and batches[0][2].tolist() == [6, 5]


def test_a_long_clip_does_not_pad_the_others():
    lengths = [10] * 31 + [100_000] + [10] * 33 + [600, 600]
    clips = as_clips([np.ones(n, dtype=np.float32) for n in lengths], sample_rate=RATE)
    batches = list(clips.batches(32, max_samples=1_000))
    assert max(waveforms.size for _, waveforms, _ in batches if len(waveforms) > 1) <= 1_000
    assert [len(lengths) for _, _, lengths in batches] == [31, 1, 32, 1, 1, 1]
    assert sum(waveforms.size for _, waveforms, _ in batches) < 1.1 * sum(lengths)


def test_batches_of_equal_lengths_are_never_padded():
    lengths = [5, 5, 5, 7, 7, 5]
    batches = list(as_clips(ragged(*lengths), sample_rate=RATE).batches(2, equal_lengths=True))
    assert [found.tolist() for _, _, found in batches] == [[5, 5], [5], [7, 7], [5]]


def test_a_batch_holds_at_least_one_clip():
    with pytest.raises(ValueError, match=r"batch_size=0, expected at least 1"):
        list(as_clips(noise(2, 3), sample_rate=RATE).batches(0))


def test_the_cache_keeps_what_was_used_last_within_its_bound():
    cache = ClipCache(3 * 40)
    clips = [np.full(10, value, dtype=np.float32) for value in range(4)]
    for index in (0, 1, 2):
        cache.put(index, clips[index])
    assert cache.get(0) is clips[0]
    cache.put(3, clips[3])
    assert cache.get(1) is None and cache.get(0) is clips[0] and cache.get(3) is clips[3]
    cache.put(4, np.zeros(31, dtype=np.float32))
    assert cache.get(4) is None and cache.n_bytes == 120
    cache.put(3, clips[3])
    assert cache.n_bytes == 120


def test_threads_may_share_a_cache():
    cache = ClipCache(50 * 40)

    def use(seed):
        for index in np.random.default_rng(seed).integers(0, 100, 2_000):
            held = cache.get(int(index))
            assert held is None or held[0] == index
            cache.put(int(index), np.full(10, index, dtype=np.float32))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    assert cache.n_bytes == sum(clip.nbytes for clip in cache._clips.values()) <= cache.max_bytes


@pytest.mark.parametrize("cached", [True, False])
def test_files_are_decoded_once_if_the_cache_is_on(files, monkeypatch, cached):
    decoded = []

    def count(path, *, sample_rate):
        decoded.append(path)
        return read_audio(path, sample_rate=sample_rate)

    monkeypatch.setattr("leaf_sklearn._clips.clips.read_audio", count)
    if not cached:
        monkeypatch.setattr("leaf_sklearn._clips.clips.CACHE_BYTES", 0)
    clips = as_clips(files, sample_rate=RATE)
    assert decoded == []
    for _ in range(2):
        list(clips.batches(2))
    assert len(decoded) == (3 if cached else 6)


def test_arrays_are_not_kept_twice():
    clips = as_clips(noise(3, 100), sample_rate=RATE)
    list(clips.batches(2))
    assert clips._cache.n_bytes == 0
    assert np.shares_memory(clips.read(1), clips._source)


def test_pickles_carry_paths_and_no_decoded_clips(files):
    clips = as_clips(files, sample_rate=RATE)
    fresh = len(pickle.dumps(clips))
    expected = [clips.read(i) for i in range(3)]
    stored = pickle.dumps(clips)
    assert len(stored) == fresh < 3_000
    restored = pickle.loads(stored)
    assert_same([restored.read(i) for i in range(3)], expected)


def test_the_repr_tells_what_the_clips_are(files):
    assert repr(as_clips(files, sample_rate=RATE)) == "<3 clips at 16000 Hz from files>"


def test_a_clip_alone_in_its_batch_is_not_copied():
    clip = np.linspace(-1.0, 1.0, 5000, dtype=np.float32)
    ((_, waveforms, lengths),) = as_clips([clip], sample_rate=16000).batches(4)
    assert np.shares_memory(waveforms, clip)
    assert waveforms.flags.writeable  # torch warns of memory that is not
    assert waveforms.shape == (1, 5000)
    assert lengths.tolist() == [5000]


@pytest.mark.parametrize(
    "owner", [np.zeros(50, dtype=[("x", "f4")]), np.zeros(50, dtype=np.int32)], ids=["field", "view"]
)
def test_a_clip_alone_that_is_a_view_of_another_type_is_read_as_itself(owner):
    clip = owner["x"] if owner.dtype.names else owner.view(np.float32)
    clip[:] = np.linspace(-1.0, 1.0, 50)
    ((_, waveforms, _),) = as_clips([clip], sample_rate=16000).batches(4)
    assert waveforms.dtype == np.float32
    np.testing.assert_array_equal(waveforms[0], clip)
