"""Dask: a real cluster of two worker processes on the loopback gives what one process gives, bit for bit."""

import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest
import soundfile
from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.cli import main
from leaf_sklearn.compare import compare
from leaf_sklearn.corpus import transform_corpus

pytestmark = [
    pytest.mark.slow,
    # Dask leaves sockets and coroutines to the collector when a worker is killed or a cluster is closed
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
RATE = 4_000
N_FILES = 5_000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for number in range(N_FILES):
        label = number % 2
        tone = 0.1 * np.sin(2 * np.pi * (400, 1200)[label] * np.arange(800 + number % 7) / RATE)
        soundfile.write(folder / f"{number:04d}.wav", tone + rng.normal(0, 0.05, len(tone)), RATE)
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture(scope="module")
def client():
    os.environ["OMP_NUM_THREADS"] = "1"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def leaf(files):
    labels = np.arange(40) % 2
    return LeafTransformer(sample_rate=RATE, n_filters=8, max_steps=4, random_state=0).fit(files[:40], labels)


@pytest.fixture(scope="module")
def features(files, leaf):
    return leaf.transform(files)


def pids(client):
    return set(client.run(os.getpid).values())


def kill_one_worker(client):
    """Kill a worker once both have work, from another thread; returns the thread."""
    victim = min(pids(client))

    def kill():
        while not all(client.processing().values()):
            time.sleep(0.005)
        time.sleep(0.1)
        os.kill(victim, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_transform_of_5000_files_while_a_worker_is_killed(client, files, leaf, features):
    before = pids(client)
    thread = kill_one_worker(client)
    with parallel_config(backend="dask", client=client):
        found = leaf.transform(files)
    assert not thread.is_alive(), "the transform was over before the kill"
    thread.join()
    np.testing.assert_array_equal(found, features)
    client.wait_for_workers(2, timeout=30)
    assert len(pids(client) & before) == 1


def test_a_corpus(client, files, leaf, features, tmp_path):
    (tmp_path / "list.txt").write_text("\n".join(files[:1_000]))
    with parallel_config(backend="dask", client=client):
        result = transform_corpus(leaf, tmp_path / "list.txt", tmp_path / "out")
    table = pd.read_parquet(tmp_path / "out" / "features")
    assert result.n_rows == 1_000 and table["file"].tolist() == files[:1_000]
    np.testing.assert_array_equal(table.iloc[:, 2:].to_numpy(), features[:1_000])


def test_a_grid_while_a_worker_is_killed(client, files):
    y = np.arange(60) % 2
    leaf = LeafTransformer(sample_rate=RATE, n_filters=4, max_steps=2, compression_search=False, random_state=0)
    pipeline = make_pipeline(leaf, LogisticRegression())
    grid = {"leaftransformer__n_filters": [3, 4]}
    serial = GridSearchCV(pipeline, grid, cv=2).fit(files[:60], y)
    thread = kill_one_worker(client)
    with parallel_config(backend="dask", client=client):
        parallel = GridSearchCV(pipeline, grid, cv=2).fit(files[:60], y)
    assert not thread.is_alive(), "the search was over before the kill"
    for name in ("split0_test_score", "split1_test_score", "params"):
        assert list(parallel.cv_results_[name]) == list(serial.cv_results_[name])
    np.testing.assert_array_equal(parallel.decision_function(files[60:80]), serial.decision_function(files[60:80]))


def scores(result):
    return sorted((row.frontend, row.classifier, row.seed, row.fold, row.accuracy) for row in result.rows)


def test_compare(client, files):
    data = {"tones": (files[:40], np.arange(40) % 2)}
    options = {"cv": 2, "seeds": 2, "classifiers": ["logreg"], "transformer_params": {"n_filters": 4, "max_steps": 2}}
    serial = compare(data, **options)
    with parallel_config(backend="dask", client=client):
        assert scores(compare(data, **options)) == scores(serial)


def test_the_shell_takes_a_scheduler_or_starts_a_cluster(client, files, tmp_path, capsys):
    mel = MelTransformer(sample_rate=RATE, n_filters=4).fit(files[:1])
    mel.save(tmp_path / "mel.safetensors")
    (tmp_path / "list.txt").write_text("\n".join(files[:200]))
    arguments = ["transform", str(tmp_path / "mel.safetensors"), str(tmp_path / "list.txt"), "--backend", "dask"]
    address = client.scheduler.address
    assert main([*arguments, "--scheduler", address, "--out", str(tmp_path / "a")]) == 0
    assert main([*arguments, "--n-jobs", "2", "--out", str(tmp_path / "b")]) == 0
    tables = [pd.read_parquet(tmp_path / name / "features") for name in "ab"]
    pd.testing.assert_frame_equal(*tables)
    np.testing.assert_array_equal(tables[0].iloc[:, 2:].to_numpy(), mel.transform(files[:200]))
    compared = ["compare", str(tmp_path / "clips.csv"), "--frontends", "mel", "--classifiers", "knn", "--cv", "2"]
    rows = [f"{path},{number % 2}\n" for number, path in enumerate(files[:20])]
    (tmp_path / "clips.csv").write_text("file,label\n" + "".join(rows))
    assert main([*compared, "--backend", "dask", "--scheduler", address, "--out", str(tmp_path / "compared")]) == 0
    assert len((tmp_path / "compared" / "results.csv").read_text().splitlines()) == 3
    assert main([*arguments, "--scheduler", address, "--n-jobs", "2", "--out", str(tmp_path / "c")]) == 2
    assert "--n-jobs is the cluster's own matter" in capsys.readouterr().err
