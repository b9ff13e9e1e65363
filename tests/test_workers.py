"""Several workers on one machine: no more threads than cores, no copies of the data, no hang after a fork."""

import os
import subprocess
import sys

import joblib
import numpy as np
import psutil
import pytest
import soundfile
import torch
from joblib import Parallel, delayed, parallel_config
from joblib._parallel_backends import ThreadingBackend
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from leaf_sklearn import LeafTransformer, MelTransformer, _base
from leaf_sklearn._clips.clips import as_clips
from leaf_sklearn._parallel import map_with_model, n_workers, pack, unpack

RATE = 4_000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for number in range(150):
        soundfile.write(folder / f"{number:03d}.wav", rng.normal(0, 0.1, 400 + number), RATE)
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def mel():
    return MelTransformer(sample_rate=RATE, n_filters=4).fit([np.zeros(RATE)])


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_transform_of_many_files_is_shared_among_workers(files, mel, backend):
    expected = mel.transform(files)
    with parallel_config(backend=backend, n_jobs=2):
        np.testing.assert_array_equal(mel.transform(files), expected)
        np.testing.assert_array_equal(mel.transform(files[:3]), expected[:3])
    frame = MelTransformer(sample_rate=RATE, n_filters=4).set_output(transform="pandas").fit(files)
    with parallel_config(backend=backend, n_jobs=2):
        assert frame.transform(files).to_numpy().tolist() == expected.tolist()


def test_a_backend_that_gives_its_results_at_once(files, mel, monkeypatch):
    monkeypatch.setattr(ThreadingBackend, "supports_return_generator", False)  # as of "multiprocessing"
    expected = mel.transform(files)
    with parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(mel.transform(files), expected)
        (part,) = next(map_with_model(_base.transform_views, [mel], [files[:3]]))
        assert part.shape == (3, 44)


def test_only_many_files_and_several_workers_make_jobs(files, mel, monkeypatch):
    jobs = []

    def count(function, model, items):
        jobs.extend(items)
        return [function(model, item) for item in items] or [function(model, item) for item in jobs]

    monkeypatch.setattr(_base, "map_with_model", count)
    mel.transform(files)
    with parallel_config(n_jobs=2):
        mel.transform(files[:64])
        assert jobs == []
        mel.transform(files)
    assert [len(job) for job in jobs] == [64, 64, 22]


def test_the_number_of_workers(files):
    assert n_workers() == 1
    assert n_workers(2) == 2
    with parallel_config(n_jobs=3):
        assert (n_workers(), n_workers(1)) == (3, 1)


def test_a_model_is_unpacked_once(mel):
    packed = pack(mel)
    assert unpack(packed) is unpack(packed.copy())
    other = pack(MelTransformer(sample_rate=RATE).fit([np.zeros(RATE)]))
    assert unpack(other) is not unpack(packed)


def load(model, number):
    """Where this ran, with how many threads, and the one object that the model is there."""
    return os.getpid(), torch.get_num_threads(), id(model)


def test_loky_gives_a_worker_one_thread_and_one_model(mel):
    seen = list(map_with_model(load, mel, range(12), 2))
    assert {threads for _, threads, _ in seen} == {1}
    assert len({(pid, model) for pid, _, model in seen}) == len({pid for pid, _, _ in seen}) <= 2


def threads_here():
    return torch.get_num_threads()


@pytest.mark.slow
def test_plain_joblib_does_not_oversubscribe_the_cores():
    """What GridSearchCV(n_jobs=2) does: threads x workers stay within the cores."""
    threads = Parallel(n_jobs=2)(delayed(threads_here)() for _ in range(4))
    assert max(threads) * 2 <= max(2, joblib.cpu_count())


def own_memory():
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared


def memory_of_reading(X):
    """Bytes of its own that reading all clips costs a worker, and what the clips are views of."""
    as_clips(X[:1], sample_rate=16_000).read(0)
    before = own_memory()
    clips = as_clips(X, sample_rate=16_000)
    assert all(np.isfinite(clips.read(index).sum()) for index in range(len(clips)))
    return own_memory() - before, type(X).__name__


@pytest.mark.slow
def test_workers_map_the_data_and_do_not_copy_it():
    X = np.random.default_rng(0).normal(0, 0.1, (100, 160_000)).astype(np.float32)
    grown = Parallel(n_jobs=2)(delayed(memory_of_reading)(X) for _ in range(2))
    assert {name for _, name in grown} == {"memmap"}
    assert max(size for size, _ in grown) < X.nbytes / 10


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_a_grid_by_workers_is_the_serial_one(files, backend):
    y = np.arange(60) % 2
    leaf = LeafTransformer(sample_rate=RATE, n_filters=4, max_steps=2, compression_search=False, random_state=0)
    pipeline = make_pipeline(leaf, LogisticRegression())
    grid = {"leaftransformer__n_filters": [3, 4]}
    serial = GridSearchCV(pipeline, grid, cv=2).fit(files[:60], y)
    with parallel_config(backend=backend, n_jobs=2, **({"inner_max_num_threads": 1} if backend == "loky" else {})):
        parallel = GridSearchCV(pipeline, grid, cv=2).fit(files[:60], y)
    for name in ("split0_test_score", "split1_test_score"):
        assert parallel.cv_results_[name].tolist() == serial.cv_results_[name].tolist()


FORK = """
import os, sys, warnings
import joblib, numpy as np, torch
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of a fork with threads
from joblib import Parallel, delayed
from leaf_sklearn import MelTransformer
torch.set_num_threads(int(sys.argv[1]))
X, mel = np.ones((64, 16000)), MelTransformer()
task = mel.fit_transform
if sys.argv[2] == "after":
    mel.fit_transform(X)
    task = mel.transform
if sys.argv[2] == "loaded":
    task = joblib.load(sys.argv[3]).transform

def outcome():  # caught here: an error in a worker ends the pool, which now and then hangs in multiprocessing itself
    try:
        return str(len(task(X)))
    except RuntimeError as error:
        return str(error)

print(*Parallel(2, backend="multiprocessing")(delayed(outcome)() for _ in range(2)), sep="\\n")
"""


@pytest.mark.parametrize(
    ("threads", "when", "answer"),
    [
        (2, "after", "This process was forked from one in which torch had run with 2 threads; torch would hang here."),
        (2, "loaded", "This process was forked from one in which torch had run with 2 threads; torch would hang here."),
        pytest.param(1, "after", "64", marks=pytest.mark.slow),
        pytest.param(2, "before", "64", marks=pytest.mark.slow),
    ],
)
def test_a_fork_after_torch_ran_is_an_error_and_no_hang(threads, when, answer, tmp_path):
    script, model = tmp_path / "fork.py", tmp_path / "mel.joblib"
    joblib.dump(MelTransformer().fit(np.ones((2, 16000))), model)
    script.write_text(FORK)
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, str(script), str(threads), when, str(model)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
    )
    answers = done.stdout.splitlines()
    assert len(answers) == 2 and all(each.startswith(answer) for each in answers), done.stdout + done.stderr
