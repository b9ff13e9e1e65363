"""Synthetic clips are as hard as they are asked to be; folders and tables of recordings load as they say."""

import numpy as np
import pytest
import soundfile
from helpers import TASKS, needs_tasks
from scipy.signal import stft
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn.datasets import load_audio_files, make_audio_classification


def log_bands(clips, rate):
    """Mean and deviations over time of 24 log band energies, spaced as pitch is: what mel is to a linear classifier."""
    edges = np.geomspace(100.0, 0.49 * rate, 25)
    features = []
    for clip in clips:
        frequency, _, spectrum = stft(clip, rate, nperseg=400, noverlap=200, nfft=512)
        pooling = np.digitize(frequency, edges) == np.arange(1, 25)[:, None]
        levels = np.log(pooling @ np.abs(spectrum) ** 2 + 1e-10)
        features.append(np.concatenate([levels.mean(1), levels.std(1), np.diff(levels, axis=1).std(1)]))
    return np.array(features)


def accuracy(difficulty, *, duration_s=0.5, **options):
    X, y = make_audio_classification(200, duration_s=duration_s, difficulty=difficulty, random_state=0, **options)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
    return cross_val_score(classifier, log_bands(X, options.get("sample_rate", 16_000)), y, cv=3).mean()


@pytest.mark.parametrize("options", [{}, {"n_classes": 8, "sample_rate": 8_000, "duration_s": (0.3, 0.6)}])
def test_difficulty_goes_from_easy_to_hard_but_not_hopeless(options):
    n_classes = options.get("n_classes", 4)
    easy, middle, hard = (accuracy(difficulty, **options) for difficulty in (0.0, 0.5, 1.0))
    assert easy > (0.95 if n_classes == 4 else 0.8)
    assert easy - 0.1 > middle > hard
    assert 1.5 / n_classes < hard < 0.7


@pytest.mark.parametrize("constant", [("INTERFERENCE", 0.0), ("SNR_DB", (40.0, 40.0))])
def test_background_and_interference_are_hard_by_themselves(monkeypatch, constant):
    monkeypatch.setattr(f"leaf_sklearn.datasets._synthetic.{constant[0]}", constant[1])
    assert accuracy(1.0) < 0.85


def test_clips_of_one_length_come_as_one_array():
    X, y = make_audio_classification(10, n_classes=3, sample_rate=8_000, duration_s=0.25, random_state=0)
    assert isinstance(X, np.ndarray) and X.shape == (10, 2_000) and X.dtype == np.float32
    assert y.dtype == np.int64 and sorted(y) == sorted(np.arange(10) % 3)
    assert np.isfinite(X).all() and np.abs(X).max() < 2.0
    rms_db = 20 * np.log10(np.sqrt(np.mean(X**2, axis=1)))
    assert -32.1 < rms_db.min() < rms_db.max() - 5 < -19


def test_clips_of_unequal_length_come_as_a_list():
    X, y = make_audio_classification(50, duration_s=(0.1, 0.3), random_state=0)
    lengths = np.array([len(clip) for clip in X])
    assert isinstance(X, list) and len(X) == len(y) == 50
    assert 1_600 <= lengths.min() < 2_000 and 4_400 < lengths.max() <= 4_800
    assert all(clip.dtype == np.float32 for clip in X)


def test_the_random_state_decides_the_clips():
    X, y = make_audio_classification(6, duration_s=0.1, random_state=3)
    again, y_again = make_audio_classification(6, duration_s=0.1, random_state=3)
    np.testing.assert_array_equal(X, again)
    np.testing.assert_array_equal(y, y_again)
    other, _ = make_audio_classification(6, duration_s=0.1, random_state=4)
    assert not np.array_equal(X, other)
    state = np.random.RandomState(3)
    drawn, _ = make_audio_classification(6, duration_s=0.1, random_state=state)
    further, _ = make_audio_classification(6, duration_s=0.1, random_state=state)
    assert not np.array_equal(drawn, further)


def test_the_shortest_clips_are_finite():
    for n_classes in (2, 4, 11):
        X, _ = make_audio_classification(22, n_classes=n_classes, duration_s=1e-5, sample_rate=1_000, random_state=0)
        assert X.shape == (22, 1) and np.isfinite(X).all()


@pytest.mark.parametrize(
    "options",
    [
        {"n_clips": 0},
        {"n_classes": 1},
        {"difficulty": 1.1},
        {"difficulty": np.nan},
        {"sample_rate": 10},
        {"duration_s": 0.0},
        {"duration_s": (2.0, 1.0)},
        {"duration_s": (1.0, 2.0, 3.0)},
        {"duration_s": np.inf},
    ],
)
def test_impossible_clips_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}=.*expected"):
        make_audio_classification(**options)


def add(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.ones(10), 8_000, format="WAV" if path.suffix.lower() == ".wav" else None)
    return str(path)


def table(folder, text, name="metadata.csv", files=("a.wav", "b.wav", "sub/c.flac")):
    for file in files:
        add(folder / file)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_folder_of_class_folders(tmp_path):
    expected = [add(tmp_path / name) for name in ("cat/1.wav", "cat/deep/2.FLAC", "dog/1.ogg", "dog/3.mp3")]
    add(tmp_path / ".hidden/1.wav")
    add(tmp_path / "cat/.hidden/1.wav")
    add(tmp_path / "loose.wav")
    (tmp_path / "dog/notes.txt").write_text("woof")
    (tmp_path / "empty").mkdir()
    bunch = load_audio_files(str(tmp_path))
    assert bunch.filenames.tolist() == expected
    assert bunch.target.tolist() == [0, 0, 1, 1] and bunch.target.dtype == np.int64
    assert bunch.target_names == ["cat", "dog"]
    assert bunch.groups is None and bunch.split is None
    assert "4 clips with 2 labels (cat, dog)" in bunch.DESCR


TABLE = "file,label,split,group,mood\na.wav,x,train,g1,up\nsub/c.flac,y,test,g2,down\nb.wav,x,train,g1,down\n"


def test_a_table_and_its_columns(tmp_path):
    path = table(tmp_path, TABLE)
    for bunch in (load_audio_files(path), load_audio_files(tmp_path)):
        assert bunch.filenames.tolist() == [str(tmp_path / name) for name in ("a.wav", "sub/c.flac", "b.wav")]
        assert bunch.target.tolist() == [0, 1, 0] and bunch.target_names == ["x", "y"]
        assert bunch.groups.tolist() == ["g1", "g2", "g1"]
        assert bunch.split.tolist() == ["train", "test", "train"]
    other = load_audio_files(path, label="mood", group="label")
    assert other.target_names == ["down", "up"] and other.target.tolist() == [1, 0, 0]
    assert other.groups.tolist() == ["x", "y", "x"]


def test_tables_may_have_two_columns_marks_and_tabs(tmp_path):
    path = table(tmp_path, "\ufefffile\tlabel\r\na.wav\tx\r\n\r\nb.wav\ty, z\r\n", name="clips.tsv")
    bunch = load_audio_files(path)
    assert bunch.target_names == ["x", "y, z"] and bunch.groups is None and bunch.split is None


def test_labels_joined_by_semicolons_become_an_indicator(tmp_path):
    path = table(tmp_path, "file,label\na.wav,x;z\nb.wav,y\nsub/c.flac,\n")
    bunch = load_audio_files(path)
    assert bunch.target.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]] and bunch.target.dtype == np.int64
    assert bunch.target_names == ["x", "y", "z"]
    path = table(tmp_path, "file,label\na.wav,x;z\nb.wav,y\n")
    assert load_audio_files(path, multilabel=False).target_names == ["x;z", "y"]
    path = table(tmp_path, "file,label\na.wav,x\nb.wav,y\n")
    assert load_audio_files(path, multilabel=True).target.tolist() == [[1, 0], [0, 1]]


def test_blanks_around_values_are_no_part_of_them(tmp_path):
    path = table(tmp_path, "file,label,group,split\na.wav, x ,s1 , train\nb.wav,x,s1,train\nsub/c.flac,y\t, s2,test \n")
    bunch = load_audio_files(path)
    assert bunch.target_names == ["x", "y"] and bunch.target.tolist() == [0, 0, 1]
    assert bunch.groups.tolist() == ["s1", "s1", "s2"] and bunch.split.tolist() == ["train", "train", "test"]


def refused(path, *words, error=ValueError, **options):
    with pytest.raises(error) as caught:
        load_audio_files(path, **options)
    for word in words:
        assert word in str(caught.value)


def test_missing_columns_are_named(tmp_path):
    path = table(tmp_path, TABLE)
    refused(path, str(path), "['genre']", "it has ['file', 'label', 'split', 'group', 'mood']", label="genre")
    refused(path, "['fold', 'part']", group="fold", split="part")
    refused(table(tmp_path, "file,class\na.wav,x\n", name="class.csv"), "['label']", "'class'", "--label")
    refused(table(tmp_path, "a.wav,x\n", name="headless.csv"), "['file', 'label']")


def test_missing_files_are_named_and_counted(tmp_path):
    rows = "".join(f"gone{number}.wav,x\n" for number in range(5))
    path = table(tmp_path, "file,label\na.wav,x\nsub,y\n" + rows)
    refused(path, "6 of the 7 files", "gone0.wav", "gone1.wav", "...", error=FileNotFoundError)
    refused(tmp_path / "nothing", "does not exist", error=FileNotFoundError)
    refused(tmp_path / "nothing.csv", "does not exist", error=FileNotFoundError)


def test_broken_tables_are_refused(tmp_path):
    refused(table(tmp_path, "file,label\na.wav,x\nb.wav\n"), "Row 2", "2 columns")
    refused(table(tmp_path, "file,label\na.wav,x,y\n"), "Row 1", "2 columns")
    refused(table(tmp_path, "file,label\n"), "no rows")
    refused(table(tmp_path, ""), "misses the columns ['file', 'label']")
    refused(table(tmp_path, "file,label\na.wav,x\nb.wav, \n"), "1 of 2 clips have no label", "row 2")
    refused(table(tmp_path, 'file,label\na.wav,"x\n'), "cannot be read")
    path = table(tmp_path, "")
    path.write_bytes(b"file,label\n\xff\xfe.wav,x\n")
    refused(path, str(path), "UTF-8")


def test_folders_without_audio_and_other_paths_are_refused(tmp_path):
    refused(tmp_path, "No audio found", "0 audio files", "files in all: none")
    (tmp_path / "robin").mkdir()
    for name in ("1.m4a", "2.M4A", "notes"):
        (tmp_path / "robin" / name).touch()
    refused(tmp_path, "files in all: 2 .m4a, 1 without ending", "expected one folder a class with .wav")
    add(tmp_path / "a.wav")
    refused(tmp_path, "1 audio files lie in it directly", "one folder a class")
    refused(tmp_path / "a.wav", "neither a folder nor a .csv")
    refused(tmp_path, "only a table has columns", label="mood")
    refused(tmp_path, "multilabel='maybe'", multilabel="maybe")


COUNTS = {
    "birdsong_detection": (265, 2, 265),
    "emotion": (879, 6, 20),
    "environment": (320, 10, 247),
    "keywords": (1_088, 16, 24),
    "language": (875, 6, 456),
    "music_notes": (1_386, 11, 151),
    "music_notes/metadata_pitch.csv": (1_386, 36, 151),
    "speaker_id": (1_056, 24, 24),
    "tagging": (535, 16, 510),
}


@needs_tasks
@pytest.mark.parametrize("task", COUNTS)
def test_every_task_loads(task):
    n_clips, n_labels, n_groups = COUNTS[task]
    bunch = load_audio_files(TASKS / task)
    assert len(bunch.filenames) == n_clips and len(bunch.target_names) == n_labels
    assert len(np.unique(bunch.groups)) == n_groups
    assert set(bunch.split) == {"train", "valid", "test"}
    assert bunch.target.shape == ((n_clips, n_labels) if task == "tagging" else (n_clips,))
