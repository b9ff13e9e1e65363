"""Windows are the same stretch of samples whether a recording is streamed, sought in or held whole."""

import pickle

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from leaf_sklearn._clips.audio import AudioFileError, read_audio
from leaf_sklearn._clips.clips import as_clips
from leaf_sklearn._clips.segments import AudioSegment, Grid, SegmentReader, find_segments, read_windows

RATE = 16_000
SOURCES = {
    "pcm.wav": {},
    "adpcm.wav": {"subtype": "IMA_ADPCM"},
    "rf64.wav": {"format": "RF64"},
    "pcm.flac": {},
    "vorbis.ogg": {},
    "opus.ogg": {"format": "OGG", "subtype": "OPUS"},
    "constant.mp3": {"bitrate_mode": "CONSTANT"},
}
GRID = Grid(0.25, 0.1)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(0).normal(0.0, 0.1, (5 * RATE + 123, 2))
    for name, options in SOURCES.items():
        soundfile.write(folder / name, noise, RATE, **options)
    return folder


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    sizes=st.lists(st.integers(0, 40), max_size=8),
    length=st.integers(1, 50),
    hop=st.integers(1, 70),
)
def test_windows_of_blocks_are_those_of_the_whole(sizes, length, hop):
    whole = np.arange(sum(sizes), dtype=np.float32)
    grid = Grid(length / 10, hop / 10)
    blocks = np.split(whole, np.cumsum(sizes)[:-1]) if sizes else []
    cut = list(grid.cut(blocks, 10))
    spans = [span for span in grid.spans(len(whole), 10) if len(whole)]
    assert [(start, start + len(clip)) for start, clip in cut] == spans
    for start, clip in cut:
        np.testing.assert_array_equal(clip, whole[start : start + len(clip)])
    if len(whole) >= length:
        assert len(spans) == (len(whole) - length) // hop + 1


def test_starts_are_rounded_one_by_one_and_do_not_drift():
    grid = Grid(1.0, 1 / 3)
    assert [start for start, _ in grid.spans(44_100 * 100, 44_100)][::3] == [44_100 * second for second in range(100)]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("sample_rate", [RATE, 8_000])
def test_streamed_and_single_windows_are_equal(recordings, name, sample_rate):
    path = str(recordings / name)
    streamed = list(read_windows(path, GRID, sample_rate=sample_rate))
    segments = find_segments(path, GRID)
    assert [segment.start / RATE for segment in segments] == [start for start, _ in streamed]
    reader = SegmentReader()
    order = [*range(len(segments)), 7, 3, 4, 40, 0]
    for place in order:
        np.testing.assert_array_equal(reader.read(segments[place], sample_rate=sample_rate), streamed[place][1])
    if sample_rate == RATE:
        whole = read_audio(path, sample_rate=RATE)
        assert len(segments) == (len(whole) - 4_000) // 1_600 + 1
        for segment, (_, clip) in zip(segments, streamed, strict=True):
            np.testing.assert_array_equal(clip, whole[segment.start : segment.stop])


def test_segments_go_where_paths_go(recordings):
    segments = find_segments(str(recordings / "pcm.flac"), GRID)
    clips = as_clips([segments[3], recordings / "pcm.wav", segments[2]], sample_rate=8_000)
    assert clips.kind == "files"
    assert [len(clips.read(index)) for index in range(3)] == [2_000, 40_062, 2_000]
    again = pickle.loads(pickle.dumps(clips))
    for index in range(3):
        np.testing.assert_array_equal(again.read(index), clips.read(index))
    contents = set(clips.contents())
    assert len(contents) == 3
    assert repr(segments[3]).endswith("pcm.flac', 0.3 s to 0.55 s)")


def test_a_short_recording_gives_one_window(tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(100, 0.5), RATE)
    assert find_segments(str(path), GRID) == [AudioSegment(str(path), 0, 100, RATE)]
    ((start, clip),) = read_windows(str(path), GRID, sample_rate=RATE)
    assert start == 0.0 and len(clip) == 100


def test_recordings_that_changed_or_end_early_are_named(recordings, tmp_path):
    path = tmp_path / "changed.flac"
    path.write_bytes((recordings / "pcm.flac").read_bytes())
    segments = find_segments(str(path), GRID)
    soundfile.write(path, np.zeros(RATE), RATE)
    with pytest.raises(AudioFileError, match=r"changed\.flac.*ends at sample 16000; expected"):
        SegmentReader().read(segments[-1], sample_rate=RATE)
    soundfile.write(path, np.zeros(RATE), 8_000)
    reader = SegmentReader()
    for _ in range(2):
        with pytest.raises(AudioFileError, match=r"changed\.flac.*is at 8000 Hz"):
            reader.read(segments[0], sample_rate=RATE)
    content = (recordings / "pcm.flac").read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioFileError, match=r"changed\.flac"):
        list(read_windows(str(path), GRID, sample_rate=RATE))
    soundfile.write(path, np.empty(0), RATE)
    for use in (find_segments, lambda path, grid: list(read_windows(path, grid, sample_rate=RATE))):
        with pytest.raises(AudioFileError, match=r"changed\.flac"):
            use(str(path), GRID)


def test_bad_samples_spoil_their_windows_alone(tmp_path):
    path = str(tmp_path / "nan.wav")
    samples = np.zeros(RATE)
    samples[9_000] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    segments = find_segments(path, Grid(0.25, 0.25))
    clips = as_clips(segments, sample_rate=RATE)
    assert not clips.read(0).any() and not clips.read(3).any()
    with pytest.raises(AudioFileError, match=r"nan\.wav"):
        clips.read(2)


def test_windows_may_not_begin_at_the_same_sample():
    with pytest.raises(ValueError, match="hop_s=1e-06, less than a sample at 1000 Hz"):
        Grid(0.01, 1e-6).spans(100, 1000)
