"""A corpus in Parquet: every file once, in order, whatever stops the work in between."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import soundfile
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn import LeafTransformer, MelTransformer, Windower
from leaf_sklearn._clips.audio import AudioFileError
from leaf_sklearn.corpus import CorpusResult, _corpus, transform_corpus
from leaf_sklearn.corpus._listing import Listing, chunks
from leaf_sklearn.datasets import load_audio_files

RATE = 4_000
N_JOBS = [1, pytest.param(2, marks=pytest.mark.slow)]  # processes take seconds to start


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """archive/<site>/<number>.wav of several lengths and rates, with files beside them that are no audio."""
    folder = tmp_path_factory.mktemp("archive")
    rng = np.random.default_rng(0)
    for number in range(24):
        rate = (4_000, 8_000)[number % 2]
        place = folder / f"site{number % 3}" / f"{number:02d}.{('wav', 'flac')[number % 2]}"
        place.parent.mkdir(exist_ok=True)
        soundfile.write(place, rng.normal(0, 0.1, rate // 4 + 40 * number), rate)
    (folder / "notes.txt").write_text("nothing")
    (folder / "site0" / "._00.wav").write_bytes(b"resource fork")
    return folder


@pytest.fixture(scope="module")
def mel():
    return MelTransformer(sample_rate=RATE, n_filters=4).fit([np.zeros(RATE)])


def files_of(folder):
    return [str(path) for path in sorted(folder.rglob("*")) if path.suffix in (".wav", ".flac") and path.name[0] != "."]


def stored(out):
    return pd.read_parquet(out / "features")


def assert_holds(out, files, features, starts=0.0):
    table = stored(out)
    assert table["file"].tolist() == list(files)
    np.testing.assert_array_equal(table["start"], starts)
    np.testing.assert_array_equal(table.iloc[:, 2:].to_numpy(), features)


def test_a_row_a_file(archive, mel, tmp_path):
    steps = []
    result = transform_corpus(mel, archive, tmp_path / "out", progress=steps.append)
    files = files_of(archive)
    assert result == CorpusResult(24, 24, 0)
    assert_holds(tmp_path / "out", files, mel.transform(files))
    assert stored(tmp_path / "out").columns.tolist() == ["file", "start", *mel.get_feature_names_out()]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".lock", "corpus.json", "features"]
    assert [step.n_done for step in steps] == list(range(25))
    assert steps[-1].bytes_done == steps[-1].n_bytes == sum(os.path.getsize(path) for path in files)
    assert transform_corpus(mel, archive, tmp_path / "out", progress=steps.append) == result
    assert (steps[-1].n_before, len(steps)) == (24, 26)


def test_a_row_a_window(archive, mel, tmp_path):
    transform_corpus(mel, archive, tmp_path / "out", segment_s=0.1, hop_s=0.04)
    windows = Windower(0.1, 0.04).cut(files_of(archive))
    names = [window.path for window in windows.X]
    assert_holds(tmp_path / "out", names, mel.transform(windows.X), windows.start)
    transform_corpus(mel, archive, tmp_path / "whole", segment_s=0.1)
    assert len(stored(tmp_path / "whole")) == len(Windower(0.1).cut(files_of(archive)).X)


def test_lists_tables_folders_and_files(archive, mel, tmp_path):
    files = files_of(archive)
    table, listing = archive / "table.csv", archive / "list.txt"
    table.write_text("speaker,file\n" + "".join(f"a,{os.path.relpath(path, archive)}\n" for path in files[:3]))
    listing.write_text("\n".join(files[4:6]) + "\n\n")
    places = [files[9], table, listing, archive / "site1"]
    transform_corpus(mel, places, tmp_path / "out")
    expected = [files[9], *files[:3], *files[4:6], *files_of(archive / "site1")]
    assert_holds(tmp_path / "out", expected, mel.transform(expected))
    table.unlink()
    listing.unlink()


@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_pipelines_and_resampled_arrays(archive, tmp_path, n_jobs):
    """Decoded clips are at the frontend's rate, also where its arrays are at another."""
    files = files_of(archive)
    y = np.arange(24) % 2
    leaf = LeafTransformer(sample_rate=RATE, input_sample_rate=8_000, n_filters=4, max_steps=2, random_state=0)
    pipeline = make_pipeline(leaf, StandardScaler(), SelectKBest(k=3)).fit(files, y)
    transform_corpus(pipeline, archive, tmp_path / "out", n_jobs=n_jobs)
    assert_holds(tmp_path / "out", files, pipeline.transform(files))
    assert leaf.input_sample_rate == pipeline[0].input_sample_rate == 8_000


@pytest.fixture
def with_bad(archive, tmp_path):
    """The files, three bad ones among them."""
    files = files_of(archive)
    broken, cut = tmp_path / "broken.wav", tmp_path / "cut.flac"
    broken.write_bytes(b"no audio at all")
    cut.write_bytes(Path(files[12]).read_bytes()[:-700])
    return [*files[:5], str(broken), *files[5:9], str(cut), str(tmp_path / "missing.ogg"), *files[9:]]


@pytest.mark.parametrize("segment_s", [None, 0.05])
@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_bad_files_are_skipped_and_listed(with_bad, archive, mel, tmp_path, monkeypatch, segment_s, n_jobs):
    monkeypatch.setattr(_corpus, "FILES_A_JOB", 4)
    out = tmp_path / "out"
    options = {"segment_s": segment_s, "on_error": "skip", "n_jobs": n_jobs}
    result = transform_corpus(mel, with_bad, out, **options)
    assert (result.n_files, result.n_bad) == (27, 3)
    assert stored(out)["file"].drop_duplicates().tolist() == files_of(archive)
    with (out / "errors.csv").open(newline="") as stream:
        heading, *rows = csv.reader(stream)
    assert heading == ["file", "reason"]
    assert [os.path.basename(path) for path, _ in rows] == ["broken.wav", "cut.flac", "missing.ogg"]
    assert all(os.path.basename(path) in reason for path, reason in rows)
    (out / "errors.csv").write_text("lost in a kill")
    assert transform_corpus(mel, with_bad, out, **options) == result
    assert len((out / "errors.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_the_first_bad_file_stops_and_what_came_before_is_kept(with_bad, mel, tmp_path, monkeypatch, n_jobs):
    monkeypatch.setattr(_corpus, "FILES_A_JOB", 4)
    with pytest.raises(AudioFileError, match=r"broken\.wav"):
        transform_corpus(mel, with_bad, tmp_path / "out", n_jobs=n_jobs)
    assert stored(tmp_path / "out")["file"].tolist() == with_bad[:5]
    result = transform_corpus(mel, with_bad, tmp_path / "out", on_error="skip")
    assert (result.n_files, result.n_rows, result.n_bad) == (27, 24, 3)
    assert stored(tmp_path / "out")["file"].is_unique


def test_it_goes_on_after_any_interruption(archive, mel, tmp_path, monkeypatch):
    monkeypatch.setattr(_corpus, "PART_FILES", 4)
    out, files = tmp_path / "out", files_of(archive)

    def stop_at(n_done):
        def progress(step):
            if step.n_done == n_done:
                raise KeyboardInterrupt

        return progress

    for n_done in (3, 6, 15):
        with pytest.raises(KeyboardInterrupt):
            transform_corpus(mel, archive, out, progress=stop_at(n_done))
        assert len(stored(out)) == n_done
    (out / "features" / ".part-0000000015-0000000019-4711.parquet").write_bytes(b"half a part")
    assert transform_corpus(mel, archive, out) == CorpusResult(24, 24, 0)
    assert_holds(out, files, mel.transform(files))
    assert not list((out / "features").glob(".part*"))
    assert len(list((out / "features").iterdir())) > 5


def test_parts_are_written_after_rows_files_or_time(archive, mel, tmp_path, monkeypatch):
    for name, value, n_parts in (("PART_ROWS", 5, 5), ("PART_FILES", 12, 2), ("PART_SECONDS", 0.0, 24)):
        with monkeypatch.context() as patch:
            patch.setattr(_corpus, name, value)
            transform_corpus(mel, archive, tmp_path / name)
        assert len(list((tmp_path / name / "features").iterdir())) == n_parts


def test_other_settings_files_or_contents_of_the_folder_are_refused(archive, mel, tmp_path):
    out = tmp_path / "out"
    transform_corpus(mel, archive, out)
    other = MelTransformer(sample_rate=RATE, n_filters=4, fmin=100).fit([np.zeros(RATE)])
    for model, files, options, message in (
        (other, archive, {}, "was begun otherwise .*model"),
        (mel, archive / "site0", {}, "n_files 24, now 8; files_sha256"),
        (mel, archive, {"segment_s": 1.0}, "segment_s None, now 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            transform_corpus(model, files, out, **options)
    (out / "corpus.json").write_text("{")
    with pytest.raises(ValueError, match=r"corpus\.json cannot be read"):
        transform_corpus(mel, archive, out)
    (out / "corpus.json").unlink()
    with pytest.raises(ValueError, match="neither empty nor was begun"):
        transform_corpus(mel, archive, out)


def test_missing_and_foreign_parts_are_noticed(archive, mel, tmp_path, monkeypatch):
    monkeypatch.setattr(_corpus, "PART_FILES", 8)
    out = tmp_path / "out"
    transform_corpus(mel, archive, out)
    (out / "features" / "part-0000000008-0000000016.parquet").rename(tmp_path / "away.parquet")
    with pytest.raises(ValueError, match="starts with file 16, expected 8: a part is missing"):
        transform_corpus(mel, archive, out)
    (tmp_path / "away.parquet").rename(out / "features" / "mine.parquet")
    with pytest.raises(ValueError, match=r"mine\.parquet was not written by this command"):
        transform_corpus(mel, archive, out)


def test_two_at_once_are_refused(archive, mel, tmp_path):
    def second(step):
        if step.n_done == 3:
            with pytest.raises(ValueError, match="Another process is writing to"):
                transform_corpus(mel, archive, tmp_path / "out")
            seen.append(step)

    seen = []
    transform_corpus(mel, archive, tmp_path / "out", progress=second)
    assert len(seen) == 1


def test_settings_are_checked(archive, mel, tmp_path):
    for options, message in (
        ({"hop_s": 1.0}, "hop_s=1.0 without segment_s"),
        ({"segment_s": -1.0}, "expected seconds above zero"),
        ({"on_error": "stop"}, "expected 'raise' or 'skip'"),
        ({"threads": 0}, "threads=0"),
    ):
        with pytest.raises(ValueError, match=message):
            transform_corpus(mel, archive, tmp_path / "out", **options)
    with pytest.raises(ValueError, match="Got a StandardScaler, expected a transformer of leaf_sklearn"):
        transform_corpus(StandardScaler().fit(np.zeros((2, 2))), archive, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no audio files"):
        transform_corpus(mel, tmp_path / "empty", tmp_path / "out")
    (tmp_path / "bad.csv").write_text("path\na.wav\n")
    with pytest.raises(ValueError, match="misses the column 'file'"):
        transform_corpus(mel, tmp_path / "bad.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_features_that_are_not_finite_spoil_their_file(archive, mel, tmp_path, monkeypatch):
    files = files_of(archive)
    spoilt = mel.transform([files[2]])[0]

    def spoil(self, X):
        rows = transform(self, X)
        rows[(rows == spoilt).all(1)] = np.nan
        return rows

    transform = MelTransformer.transform
    monkeypatch.setattr(MelTransformer, "transform", spoil)
    result = transform_corpus(mel, archive, tmp_path / "out", on_error="skip")
    assert result.n_bad == 1
    assert "features that are not finite" in (tmp_path / "out" / "errors.csv").read_text()
    assert stored(tmp_path / "out")["file"].tolist() == [*files[:2], *files[3:]]


def test_names_that_are_no_utf_8_are_stored(archive, mel, tmp_path):
    name = os.fsencode(tmp_path) + b"/b\xe4d.wav"
    with open(files_of(archive)[0], "rb") as source, open(name, "wb") as copy:
        copy.write(source.read())
    transform_corpus(mel, os.fsdecode(name), tmp_path / "out")
    assert stored(tmp_path / "out")["file"][0].endswith("/b\\xe4d.wav")


def test_memory_does_not_grow_with_the_number_of_files(archive, mel, tmp_path, monkeypatch):
    """From the three hundredth file to the three thousandth."""
    monkeypatch.setattr(_corpus, "PART_FILES", 100)
    listing = tmp_path / "many.txt"
    listing.write_text((files_of(archive)[0] + "\n") * 3_000)
    memory = {}

    def note(step):
        if step.n_done in (300, 3_000):
            memory[step.n_done] = psutil.Process().memory_info().rss

    assert transform_corpus(mel, listing, tmp_path / "out", progress=note).n_rows == 3_000
    assert memory[3_000] - memory[300] < 20 * 2**20


def test_a_listing_walks_in_the_same_order_each_time(archive):
    listing = Listing([str(archive)])
    assert list(listing) == files_of(archive) == list(Listing([str(archive)]))


def test_links_to_folders_are_followed_once(archive, tmp_path):
    place = tmp_path / "all" / "class"
    place.mkdir(parents=True)
    (place / "archive").symlink_to(archive)
    (place / "in_circles").symlink_to(tmp_path / "all")
    expected = [path.replace(str(archive), str(place / "archive")) for path in files_of(archive)]
    assert list(Listing([str(tmp_path / "all")])) == expected
    assert load_audio_files(tmp_path / "all").filenames.tolist() == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b'file\n"a.wav\n'), ("b.csv", b"file\ncaf\xe9.wav\n"), ("c.txt", "a.wav\n".encode("utf-16"))],
)
def test_lists_that_cannot_be_read_are_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}' cannot be read as UTF-8 text"):
        list(Listing([str(tmp_path / name)]))


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffa.wav\r\nb.wav\n".encode())
    assert list(Listing([str(tmp_path / "a.txt")])) == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]


def test_jobs_are_full_by_files_or_by_bytes(archive):
    files = files_of(archive)
    size = os.path.getsize(files[0])
    assert [len(chunk) for chunk in chunks([files[0]] * 10, 4, 10**9)] == [4, 4, 2]
    assert [len(chunk) for chunk in chunks([files[0]] * 7, 99, 3 * size - 1)] == [3, 3, 1]
    assert list(chunks([], 4, 10)) == []


TRANSFORM = """
import sys
from pathlib import Path
from leaf_sklearn.cli import main
from leaf_sklearn.corpus import _corpus
_corpus.PART_FILES = 40
status = main(sys.argv[1:])
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(peak.split()[1]) // 1024)
sys.exit(status)
"""


@pytest.mark.slow
def test_kill_9_loses_and_repeats_no_row(mel, tmp_path):
    """Killed twice at whatever moment, the corpus is that of one run, bit for bit."""
    rng = np.random.default_rng(0)
    (tmp_path / "files").mkdir()
    for number in range(600):
        soundfile.write(tmp_path / "files" / f"{number:04d}.wav", rng.normal(0, 0.1, 2_400), RATE)
    mel.save(tmp_path / "mel.safetensors")
    out = tmp_path / "out"
    command = [sys.executable, "-c", TRANSFORM, "transform", str(tmp_path / "mel.safetensors"), str(tmp_path / "files")]
    command += ["--out", str(out), "--segment", "0.2", "--hop", "0.1", "--threads", "2"]
    n_before = 0
    for _ in range(2):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            deadline = time.monotonic() + 60
            while len(list(out.glob("features/part-*"))) <= n_before and time.monotonic() < deadline:
                time.sleep(0.002)
            running.send_signal(signal.SIGKILL)
        n_parts = len(list(out.glob("features/part-*")))
        assert n_parts > n_before and running.returncode == -signal.SIGKILL
        n_before = n_parts
    assert n_before * 40 < 600
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    transform_corpus(mel, tmp_path / "files", tmp_path / "once", segment_s=0.2, hop_s=0.1)
    pd.testing.assert_frame_equal(stored(out), stored(tmp_path / "once"))
    assert json.loads((out / "corpus.json").read_text()) == json.loads((tmp_path / "once" / "corpus.json").read_text())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells its peak memory on Linux only")
def test_an_hour_of_audio_in_bounded_memory(mel, tmp_path):
    recording = tmp_path / "hour.wav"
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(recording, "w", 16_000, 1) as file:
        minute = rng.normal(0, 0.1, 16_000 * 60).astype(np.float32)
        for _ in range(60):
            file.write(minute)
    mel.save(tmp_path / "mel.safetensors")
    command = [sys.executable, "-c", TRANSFORM, "transform", str(tmp_path / "mel.safetensors"), str(recording)]
    command += ["--out", str(tmp_path / "out"), "--segment", "1.0", "--hop", "0.5"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert len(stored(tmp_path / "out")) == 7_199
    assert int(done.stdout.splitlines()[-1]) < 700
