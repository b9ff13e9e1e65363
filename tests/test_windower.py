"""Windows with their labels, groups and starts, in the estimators' hands."""

import numpy as np
import pytest
import soundfile
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from leaf_sklearn import LeafTransformer, MelTransformer, Windower
from leaf_sklearn._clips.clips import as_clips

RATE = 8_000


@pytest.fixture
def recordings(tmp_path):
    """Six files of two pitches, 1 to 2.5 seconds."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(6):
        time = np.arange(int(RATE * (1 + number % 4 / 2))) / RATE
        path = tmp_path / f"{number}.flac"
        soundfile.write(path, 0.2 * np.sin(2 * np.pi * (500, 2000)[number % 2] * time) + rng.normal(0, 0.02), RATE)
        paths.append(str(path))
    return paths


def test_every_window_gets_the_labels_and_the_group_of_its_recording(recordings):
    y, speakers = np.array(list("ababab")), [1, 1, 2, 2, 3, 3]
    windows = Windower(0.5, 0.25).cut(recordings, y, groups=speakers)
    assert windows.recording.tolist() == [0] * 3 + [1] * 5 + [2] * 7 + [3] * 9 + [4] * 3 + [5] * 5
    assert (windows.y == y[windows.recording]).all()
    assert (windows.groups == np.array(speakers)[windows.recording]).all()
    assert windows.start[:8].tolist() == [0, 0.25, 0.5, 0, 0.25, 0.5, 0.75, 1]
    assert (Windower(0.5, 0.25).cut(recordings).groups == windows.recording).all()
    assert Windower(0.5).cut(recordings).y is None
    two_tasks = Windower().cut(recordings, np.arange(12).reshape(6, 2))
    assert two_tasks.y[:, 1].tolist() == [1, 3, 5, 5, 7, 7, 9, 11]


def test_no_recording_straddles_a_split(recordings):
    windows = Windower(0.5, 0.25).cut(recordings, list("ababab"))
    for train, test in GroupKFold(3).split(windows.X, windows.y, windows.groups):
        assert set(windows.recording[train]).isdisjoint(windows.recording[test])
    model = make_pipeline(MelTransformer(sample_rate=RATE), LogisticRegression())
    scores = cross_val_score(model, windows.X, windows.y, groups=windows.groups, cv=GroupKFold(3))
    assert scores.mean() == 1.0


def test_windows_of_files_and_of_arrays_give_the_same_features(recordings):
    arrays = [soundfile.read(path, dtype="float32")[0] for path in recordings]
    of_files = Windower(0.5, 0.25).cut(recordings)
    of_arrays = Windower(0.5, 0.25, sample_rate=RATE).cut(arrays)
    mel = MelTransformer(sample_rate=RATE).fit(of_files.X)
    np.testing.assert_array_equal(mel.transform(of_files.X), mel.transform(of_arrays.X))
    np.testing.assert_array_equal(of_files.start, of_arrays.start)
    assert all(np.shares_memory(window, arrays[0]) for window in of_arrays.X[:3])


def test_the_frontend_trains_on_windows_with_their_groups(recordings):
    windows = Windower(0.5, 0.25).cut(recordings, list("ababab"))
    leaf = LeafTransformer(sample_rate=RATE, n_filters=4, max_steps=2, random_state=0)
    leaf.fit(windows.X, windows.y, groups=windows.groups)
    assert leaf.transform(windows.X).shape == (32, 44)


def test_windows_of_an_array_of_paths_show_plainly(recordings):
    window = Windower(0.5).cut(np.array([str(path) for path in recordings])).X[0]
    assert repr(window) == f"AudioSegment({str(recordings[0])!r}, 0 s to 0.5 s)"


def test_a_table_is_cut_row_by_row():
    windows = Windower(1.0, sample_rate=10).cut(np.arange(50.0).reshape(2, 25))
    assert [window.tolist()[0] for window in windows.X] == [0, 10, 25, 35]


@pytest.mark.parametrize("segment_s", [0.03, 0.75, 0.95, 1.0])
def test_windows_of_any_rate_are_equally_long(tmp_path, segment_s):
    paths = [str(tmp_path / f"{rate}.wav") for rate in (8_000, 11_025, 16_000, 22_050, 44_100, 48_000)]
    for path in paths:
        soundfile.write(path, np.ones(2 * int(path.split("/")[-1][:-4])), int(path.split("/")[-1][:-4]))
    frames = MelTransformer(n_filters=4).fit_transform(Windower(segment_s).cut(paths).X)
    clips = as_clips(list(Windower(segment_s).cut(paths).X), sample_rate=16_000)
    assert {len(clips.read(index)) for index in range(len(clips))} == {round(segment_s * 16_000)}
    assert len(frames) == len(clips)


def test_settings_and_inputs_are_checked(recordings, tmp_path):
    assert clone(Windower(2.0)).get_params() == {"segment_s": 2.0, "hop_s": None, "sample_rate": 16000}
    with pytest.raises(ValueError, match="The 'hop_s' parameter of Windower"):
        Windower(hop_s=0.0).cut(recordings)
    with pytest.raises(ValueError, match="X has 6 clips and y has 2 entries"):
        Windower().cut(recordings, [0, 1])
    with pytest.raises(ValueError, match="X has 6 clips and groups has 2 entries"):
        Windower().cut(recordings, groups=[0, 1])
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF" * 10)
    with pytest.raises(ValueError, match=r"broken\.wav"):
        Windower().cut([*recordings, broken])
