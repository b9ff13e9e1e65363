"""The command, from arguments to files, run in this process."""

import csv
import os
import sys

import joblib
import numpy as np
import pytest
import soundfile
from pyarrow import parquet
from sklearn.preprocessing import StandardScaler

import leaf_sklearn
from leaf_sklearn._training import split, trial
from leaf_sklearn.cli import _commands as commands
from leaf_sklearn.cli import main
from leaf_sklearn.cli._feature_files import expand_files, is_folder
from leaf_sklearn.compare import _compare as compare_module
from leaf_sklearn.datasets import make_audio_classification

RATE = 4000
TINY = ["--sample-rate", str(RATE), "--n-filters", "4", "--max-steps", "2", "--device", "cpu"]


@pytest.fixture
def recordings(tmp_path):
    """recordings/<class>/*.wav, six clips of each of two classes."""
    X, y = make_audio_classification(12, n_classes=2, sample_rate=RATE, duration_s=0.1, random_state=0)
    folder = tmp_path / "recordings"
    for number, (clip, label) in enumerate(zip(X, y, strict=True)):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"class{label}" / f"{number:02d}.wav", clip, RATE)
    return folder


@pytest.fixture
def table(recordings):
    """A CSV of the same clips, with several columns of labels, speakers and a split."""
    with (recordings / "clips.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "label", "tags", "group", "split"])
        for number, path in enumerate(sorted(recordings.rglob("*.wav"))):
            tags = ";".join(tag for tag, step in (("odd", 2), ("third", 3)) if number % step == 1)
            split = ("train", "test")[number % 5 > 2]
            writer.writerow([path.relative_to(recordings), path.parent.name, tags, f"speaker{number // 2}", split])
    return recordings / "clips.csv"


def read_table(path):
    with path.open(newline="") as stream:
        heading, *rows = csv.reader(stream)
    return heading, rows


def assert_refused(capsys, arguments, message):
    assert main([str(argument) for argument in arguments]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("leaf-sklearn: error: ")
    assert shown.err.count("\n") == 1
    assert message in shown.err


def test_compare(recordings, tmp_path, capsys):
    arguments = ["compare", str(recordings), "--seeds", "1", "--cv", "2", "--out", str(tmp_path / "out"), *TINY]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert "| recordings | mel      | logreg     |" in shown.out
    assert "8/8 recordings leaf " in shown.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.png",
        "report.html",
        "results.csv",
        "results.md",
    ]
    assert (tmp_path / "out" / "results.md").read_text() in shown.out
    assert main([*arguments, "--classifiers", "logreg,svc,knn"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith("8 of 12 results were there already\n9/12 ")
    assert_refused(capsys, [*arguments, "--n-filters", "5"], "other settings: n_filters=4 (now 5)")


def test_compare_takes_splits_labels_and_several_data_sets(table, tmp_path, capsys):
    arguments = ["--frontends", "mel", "--classifiers", "knn", "--out", str(tmp_path / "out"), *TINY]
    assert main(["compare", str(table), "--label", "tags", *arguments]) == 0
    assert "| recordings/clips:tags | mel " in capsys.readouterr().out
    assert main(["compare", str(table), str(table.parent), *arguments]) == 0
    heading, rows = read_table(tmp_path / "out" / "results.csv")
    tasks = [row[heading.index("task")] for row in rows]
    assert tasks == ["recordings/clips:tags", "recordings/clips", *["recordings"] * 5]
    assert [row[heading.index("n_train")] for row in rows] == ["8", "8", *["9", "9", "10", "10", "10"]]
    assert rows[0][heading.index("accuracy")] == ""


def test_multitask(table, tmp_path, capsys):
    other = table.with_name("others.csv")
    other.write_text(table.read_text())
    arguments = ["--frontends", "leaf", "--classifiers", "knn", "--seeds", "1", "--multitask", "--keep-models", *TINY]
    assert main(["compare", str(table), str(other), "--out", str(tmp_path / "out"), *arguments]) == 0
    (model,) = (tmp_path / "out" / "models").iterdir()
    assert len(joblib.load(model).classes_) == 2


def test_ctrl_c_says_what_is_kept(recordings, tmp_path, capsys, monkeypatch):
    def stop(job):
        if job.fold == 1:
            raise KeyboardInterrupt
        return run_job(job)

    run_job = compare_module.run_job
    monkeypatch.setattr(compare_module, "run_job", stop)
    arguments = ["compare", str(recordings), "--frontends", "mel", "--cv", "2", "--out", str(tmp_path / "out"), *TINY]
    assert main(arguments) == 130
    kept = f"2 results are kept in {tmp_path / 'out' / 'results.csv'}; the same command goes on from there"
    assert capsys.readouterr().err.endswith(f"leaf-sklearn: interrupted: {kept}\n")
    monkeypatch.setattr(compare_module, "run_job", run_job)
    assert main(arguments) == 0
    assert capsys.readouterr().err.startswith("2 of 4 results")


def test_ctrl_c_beside_a_file_of_another_kind(recordings, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    (tmp_path / "results.csv").write_text("something else\n")
    monkeypatch.setattr(compare_module, "as_tasks", stop)
    assert main(["compare", str(recordings), "--out", str(tmp_path), *TINY]) == 130
    assert capsys.readouterr().err.endswith("leaf-sklearn: interrupted: there are no results yet\n")


def test_fit_and_transform(recordings, tmp_path, capsys, monkeypatch):
    model = tmp_path / "model.joblib"
    assert main(["fit", str(recordings), "--out", str(model), *TINY]) == 0
    assert "No clips were held out to score the training: validation_fraction=0.1 of 12" in capsys.readouterr().out
    monkeypatch.setattr(split, "MIN_CLIPS", 1)
    assert main(["fit", str(recordings), "--out", str(model), *TINY]) == 0
    shown = capsys.readouterr().out
    assert "Held-out clips, accuracy at step " in shown
    assert shown.endswith(f"Saved {model}\n")
    leaf = joblib.load(model)
    files = sorted(str(path) for path in recordings.rglob("*.wav"))
    listed = tmp_path / "list.csv"
    listed.write_text("file\n" + "\n".join(files[2:4]) + "\n")
    features = leaf.transform(files)
    for kind in ("csv", "parquet", "npz"):
        out = tmp_path / f"features.{kind}"
        assert main(["transform", str(model), str(recordings), files[1], str(listed), "--out", str(out)]) == 0
    heading, rows = read_table(tmp_path / "features.csv")
    assert heading == ["file", *leaf.get_feature_names_out()]
    assert [row[0] for row in rows] == [*files, *files[1:4]]
    np.testing.assert_array_equal(np.array([row[1:] for row in rows], dtype=np.float32)[:12], features)
    columns = parquet.read_table(tmp_path / "features.parquet").to_pydict()
    assert list(columns) == heading
    np.testing.assert_array_equal(np.array(list(columns.values())[1:], dtype=np.float32).T[:12], features)
    with np.load(tmp_path / "features.npz") as stored:
        assert stored["files"].tolist() == [*files, *files[1:4]]
        assert stored["feature_names"].tolist() == heading[1:]
        np.testing.assert_array_equal(stored["features"][:12], features)


def test_fit_writes_a_file_without_code_where_its_name_says_so(recordings, tmp_path, capsys):
    models = [tmp_path / "model.joblib", tmp_path / "model.safetensors"]
    for model in models:
        assert main(["fit", str(recordings), "--out", str(model), *TINY]) == 0
    leaf = leaf_sklearn.LeafTransformer.load(models[1])
    assert joblib.hash(leaf) == joblib.hash(joblib.load(models[0]))
    for model in models:
        assert main(["transform", str(model), str(recordings), "--out", str(model.with_suffix(".csv"))]) == 0
    assert models[0].with_suffix(".csv").read_bytes() == models[1].with_suffix(".csv").read_bytes()
    X, y = [np.ones(400)] * 8, [0, 1] * 4
    leaf_sklearn.LeafClassifier(leaf).fit(X, y).save(models[1])
    assert_refused(capsys, ["transform", models[1], recordings, "--out", tmp_path / "x.csv"], "holds a LeafClassifier")
    models[1].write_bytes(models[1].read_bytes()[:-1])
    assert_refused(capsys, ["transform", models[1], recordings, "--out", tmp_path / "x.csv"], "is cut short, damaged")


def test_transform_a_corpus(recordings, tmp_path, capsys):
    model, out = tmp_path / "mel.safetensors", tmp_path / "features"
    assert main(["fit", str(recordings), "--frontend", "mel", "--out", str(model), *TINY]) == 0
    (recordings / "class0" / "broken.wav").write_bytes(b"no audio")
    arguments = ["transform", model, recordings, "--out", out, "--segment", "0.04", "--hop", "0.02"]
    assert_refused(capsys, arguments, "broken.wav")
    assert main([*map(str, arguments), "--on-error", "skip"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"Saved {out}: 13 files, 48 rows; 1 bad, listed in {out / 'errors.csv'}\n"
    assert shown.err.endswith("13 of 13 files, 1 bad\n")
    assert main([*map(str, arguments), "--on-error", "skip"]) == 0
    assert capsys.readouterr().err == "13 of 13 files were done already\n"
    assert parquet.read_table(out / "features").num_rows == 48
    assert_refused(capsys, [*arguments[:-2], "--hop", "0.03"], "was begun otherwise (hop_s 0.02, now 0.03)")
    table = tmp_path / "x.csv"
    refused = [*arguments[:3], "--out", table, "--segment", "1", "--n-jobs", "2"]
    assert_refused(capsys, refused, "--segment, --n-jobs: for a corpus")
    assert_refused(capsys, [*arguments, "--scheduler", "tcp://127.0.0.1:1"], "--scheduler needs --backend dask")


def test_files_folders_tables_and_lists_mean_the_same_files(recordings, table, tmp_path):
    files = sorted(str(path) for path in recordings.rglob("*.wav"))
    (recordings / "class0" / "._00.wav").write_bytes(b"what macOS leaves")
    lines = tmp_path / "list.txt"
    lines.write_text("".join(f"{name}\n" for name in files))
    for places in (files, [str(recordings)], [str(table)], [str(lines)]):
        assert sorted(expand_files(places)) == files
    lines.write_text("")
    with pytest.raises(ValueError, match=r"list\.txt holds no audio files"):
        expand_files([str(lines)])


def test_which_names_are_folders(tmp_path):
    (tmp_path / "there.csv").mkdir()
    folders = ["out", "out/v1.2", "a.b/", str(tmp_path / "there.csv")]
    assert [is_folder(name) for name in [*folders, "x.csv", "x.txt", "x.h5"]] == [True] * 4 + [False] * 3


def test_ctrl_c_in_a_corpus(recordings, tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "transform_corpus", interrupt)
    model = tmp_path / "mel.safetensors"
    assert main(["fit", str(recordings), "--frontend", "mel", "--out", str(model), *TINY]) == 0
    assert main(["transform", str(model), str(recordings), "--out", str(tmp_path / "out")]) == 130
    assert "what was written to" in capsys.readouterr().err


def test_fit_leaves_the_test_clips_out(table, tmp_path, capsys):
    model = tmp_path / "model.joblib"
    assert main(["fit", str(table), "--out", str(model), "--frontend", "mel-pcen", "--seed", "3", *TINY]) == 0
    assert "Logistic regression on the features of the 4 test clips: accuracy " in capsys.readouterr().out
    with table.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    files = [str(table.parent / row["file"]) for row in rows]
    by_hand = leaf_sklearn.LeafTransformer(
        "mel-pcen", sample_rate=RATE, n_filters=4, max_steps=2, device="cpu", random_state=3
    )
    by_hand.fit(files, [int(row["label"][-1]) for row in rows], groups=[row["group"] for row in rows])
    np.testing.assert_array_equal(joblib.load(model).transform(files), by_hand.transform(files))


def test_fit_refuses_splits_that_it_does_not_know(table, tmp_path, capsys):
    text, out = table.read_text(), tmp_path / "m.joblib"
    for word, message in (("training", "split holds ['test', 'training']"), ("test", "split holds ['test']")):
        table.write_text(text.replace(",train\n", f",{word}\n"))
        assert_refused(capsys, ["fit", table, "--out", out, *TINY], message)
    lines = text.splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not (",class1," in line and line.endswith(",train\n"))))
    assert_refused(capsys, ["fit", table, "--out", out, *TINY], "all training clips are of the class 'class0'")
    assert not out.exists()


def test_a_model_that_was_written_is_told_whatever_comes_after(table, tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "score_on", interrupt)
    model = tmp_path / "m.joblib"
    assert main(["fit", str(table), "--out", str(model), *TINY]) == 130
    shown = capsys.readouterr()
    assert shown.out.endswith(f"Saved {model}\n") and "nothing was written but what is told above" in shown.err
    assert joblib.load(model).transform([np.zeros(400)]).shape[0] == 1


def test_names_that_are_no_utf8_and_endings_in_capitals(recordings, tmp_path):
    model, folder = tmp_path / "m.joblib", tmp_path / "odd"
    assert main(["fit", str(recordings), "--out", str(model), "--frontend", "mel", *TINY]) == 0
    folder.mkdir()
    first = min(recordings.rglob("*.wav"))
    (folder / os.fsdecode(b"caf\xe9.wav")).write_bytes(first.read_bytes())
    for ending in ("csv", "NPZ", "parquet"):
        assert main(["transform", str(model), str(folder), "--out", str(tmp_path / f"f.{ending}")]) == 0
    _, rows = read_table(tmp_path / "f.csv")
    assert rows[0][0].endswith("caf\\xe9.wav")
    assert np.load(tmp_path / "f.NPZ")["files"][0] == rows[0][0]
    assert not list(tmp_path.glob(".f*"))


def test_a_start_that_was_kept_is_told(recordings, tmp_path, capsys, monkeypatch):
    model = tmp_path / "model.joblib"
    right = iter([np.ones(12), np.zeros(12)])
    for module in (split, trial):
        monkeypatch.setattr(module, "MIN_CLIPS", 1)
    monkeypatch.setattr(trial, "clip_scores", lambda *args: next(right))
    assert main(["fit", str(recordings), "--out", str(model), *TINY]) == 0
    assert "score: 1.000 before the training, 0.000 after it. The start was kept." in capsys.readouterr().out
    assert main(["inspect", str(model), "--out", str(tmp_path)]) == 0
    assert "Trained for 2 steps; the start, which scored better, was kept" in capsys.readouterr().out


def test_fit_mel(recordings, tmp_path, capsys):
    assert main(["fit", str(recordings), "--frontend", "mel", "--out", str(tmp_path / "mel.joblib"), *TINY]) == 0
    assert capsys.readouterr().out == f"Saved {tmp_path / 'mel.joblib'}\n"


def test_demo(tmp_path, capsys, monkeypatch):
    small = {"n_classes": 2, "duration_s": 0.1}
    monkeypatch.setattr(commands, "DEMO", small)
    monkeypatch.setattr(commands, "DEMO_TRAIN", 12)
    monkeypatch.setattr(commands, "DEMO_TEST", 8)
    monkeypatch.setattr(commands, "DEMO_STEPS", 2)
    monkeypatch.setattr(commands, "DEMO_JOBS", 1)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    shown = capsys.readouterr().out
    for name in ("results.csv", "results.md", "comparison.png", "report.html", "filters.png"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
        assert str(tmp_path / "demo" / name) in shown


def test_inspect(recordings, tmp_path, capsys):
    model, out = tmp_path / "model.joblib", tmp_path / "out" / "pictures"
    assert main(["fit", str(recordings), "--out", str(model), *TINY]) == 0
    leaf = joblib.load(model)
    capsys.readouterr()
    clip = str(next(recordings.rglob("*.wav")))
    assert main(["inspect", str(model), "--top", "3", "--clip", clip, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "LeafTransformer: frontend leaf, 4 filters at 4000 Hz, 28 learned parameters" in shown
    assert "Trained for 2 steps; the state of step 2 was kept" in shown
    octaves = np.abs(np.log2(leaf.center_frequencies_ / leaf.initial_center_frequencies_))
    lines = shown.partition("filter  start Hz")[2].splitlines()[1:4]
    assert [int(line.split()[0]) for line in lines] == np.argsort(-octaves)[:3].tolist()
    farthest = octaves.argmax()
    assert lines[0].split()[1:3] == [
        f"{leaf.initial_center_frequencies_[farthest]:.0f}",
        f"{leaf.center_frequencies_[farthest]:.0f}",
    ]
    assert sorted(path.name for path in out.iterdir()) == ["features.png", "filters.png", "training.png"]
    assert all(path.stat().st_size > 10_000 for path in out.iterdir())


@pytest.mark.parametrize(
    ("frontend", "words", "pictures"),
    [
        ("mel", ["Nothing was trained", "No centre frequency moved"], ["filters.png"]),
        ("wavegram", [], ["training.png"]),
    ],
)
def test_inspect_what_has_no_drift(frontend, words, pictures, recordings, tmp_path, capsys):
    model = tmp_path / "model.joblib"
    assert main(["fit", str(recordings), "--frontend", frontend, "--out", str(model), *TINY[:2], *TINY[4:]]) == 0
    assert main(["inspect", str(model), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == pictures


def test_errors(recordings, tmp_path, capsys):
    good = tmp_path / "good.joblib"
    assert main(["fit", str(recordings), "--frontend", "mel", "--out", str(good), *TINY]) == 0
    capsys.readouterr()
    broken, other = tmp_path / "broken.joblib", tmp_path / "other.joblib"
    broken.write_text("this is no model")
    joblib.dump({"a": 1}, other)
    scaler = tmp_path / "scaler.joblib"
    joblib.dump(StandardScaler().fit([[0.0], [1.0]]), scaler)
    wav = next(recordings.rglob("*.wav"))
    out = tmp_path / "features.csv"
    (tmp_path / "empty").mkdir()
    refused = [
        (["compare", tmp_path / "nowhere"], "nowhere"),
        (["compare", tmp_path / "empty"], "No audio found"),
        (["compare", recordings, "--label", "pitch"], "its folders are the labels"),
        (
            ["compare", recordings, "--frontends", "leef", "--out", tmp_path / "x"],
            "Got frontend='leef', expected one of [",
        ),
        (["compare", recordings, recordings, "--out", tmp_path / "x"], "equal names"),
        (
            ["compare", recordings, "--cv", "7", "--out", tmp_path / "x"],
            "recordings: 7 folds, but no class has more than 6",
        ),
        (["fit", recordings, "--out", tmp_path / "missing" / "model"], "is not a folder"),
        (["fit", recordings, "--out", tmp_path / "empty"], "expected the name of a file"),
        (["fit", recordings, "--out", tmp_path / "x", "--frontend", "leef"], "Got frontend='leef'"),
        (["inspect", tmp_path / "nowhere"], "There is no model file"),
        (["inspect", scaler], "scaler.joblib: Got a StandardScaler, expected a LeafTransformer"),
        (["inspect", good, "--clip", tmp_path / "no.wav", "--out", tmp_path / "x"], "no.wav"),
        (["transform", tmp_path / "nowhere", wav, "--out", out], "There is no model file"),
        (
            ["transform", broken, wav, "--out", out],
            "broken.joblib cannot be read as a model, expected one of leaf-sklearn fit (IndexError: ",
        ),
        (["transform", other, wav, "--out", out], "holds a dict"),
        (["transform", good, wav, "--out", tmp_path / "features.txt"], "['.csv', '.parquet', '.npz']"),
        (["transform", good, tmp_path / "empty", "--out", out], "holds no audio files"),
        (["transform", good, tmp_path / "no.wav", "--out", out], "no.wav"),
        (["transform", good, broken, "--out", out], "broken.joblib"),
    ]
    for arguments, message in refused:
        assert_refused(capsys, arguments, message)
    assert not out.exists()
    assert not (tmp_path / "x").exists() or not any((tmp_path / "x").iterdir())


def test_a_missing_extra_is_named(recordings, tmp_path, capsys, monkeypatch):
    model = tmp_path / "mel.joblib"
    assert main(["fit", str(recordings), "--frontend", "mel", "--out", str(model), *TINY]) == 0
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    wav = next(recordings.rglob("*.wav"))
    assert_refused(
        capsys, ["transform", model, wav, "--out", tmp_path / "features.parquet"], "pip install 'leaf-sklearn[parquet]'"
    )
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    monkeypatch.setattr(commands, "load_data", lambda *_: pytest.fail("the work began before the extra was missed"))
    assert_refused(
        capsys, ["fit", recordings, "--out", tmp_path / "m.safetensors", *TINY], "pip install 'leaf-sklearn[persist]'"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare"],
        ["compare", "x", "--seeds", "0"],
        ["fit", "x"],
        ["transform", "x", "y", "--out", "z", "--hop", "-1"],
        ["sing"],
        [],
    ],
)
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "error: " in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"leaf-sklearn {leaf_sklearn.__version__}\n"


@pytest.mark.parametrize("command", ["fit", "transform", "inspect"])
def test_help_warns_of_pickles(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "load only files you trust" in shown
    assert f"leaf-sklearn {command}" in shown.partition("example")[2]
