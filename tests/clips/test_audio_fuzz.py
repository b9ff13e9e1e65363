"""Damaged files, by the hundred: each gives finite features or the error that names it, and soon."""

import csv
import time
from collections import Counter

import numpy as np
import pandas as pd
import psutil
import pytest
from clips.mutations import MUTATIONS, SOURCES, mutated, write_sources

from leaf_sklearn import LeafTransformer
from leaf_sklearn._clips.audio import AudioFileError, read_audio
from leaf_sklearn.corpus import transform_corpus

SECONDS, MEGABYTES = 10.0, 256


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return write_sources(tmp_path_factory.mktemp("sources"))


def outcome(path):
    try:
        clip = read_audio(path, sample_rate=16_000)
    except AudioFileError as error:
        assert str(path) in str(error)
        return "refused"
    assert clip.dtype == np.float32 and clip.ndim == 1 and len(clip) > 0 and np.isfinite(clip).all()
    return "decoded"


@pytest.mark.parametrize("seeds", [range(220), pytest.param(range(1_000, 3_000), marks=pytest.mark.slow)], ids=len)
def test_damaged_files_are_decoded_or_refused(sources, tmp_path, seeds):
    outcomes, damages = Counter(), Counter()
    for name, content in sources.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert outcome(path) == "decoded"
    memory = psutil.Process().memory_info().rss
    for seed in seeds:
        name, damage, content = mutated(sources, seed)
        path = tmp_path / f"damaged_{name}"
        path.write_bytes(content)
        start = time.perf_counter()
        outcomes[outcome(path)] += 1
        damages[damage] += 1
        assert time.perf_counter() - start < SECONDS, f"seed {seed}"
    assert psutil.Process().memory_info().rss - memory < MEGABYTES * 2**20
    assert min(outcomes["decoded"], outcomes["refused"]) > len(seeds) // 5
    assert len(damages) == len(MUTATIONS) and min(damages.values()) > len(seeds) // 25


@pytest.mark.parametrize("seeds", [range(110), pytest.param(range(1_000, 3_000), marks=pytest.mark.slow)], ids=len)
def test_damaged_files_in_a_corpus_give_finite_features_or_a_line(sources, tmp_path, seeds):
    """The decoding threads, windows and the frontend take the same files."""
    folder = tmp_path / "files"
    folder.mkdir()
    for seed in seeds:
        name, _, content = mutated(sources, seed)
        (folder / f"{seed}_{name}").write_bytes(content)
    leaf = LeafTransformer(n_filters=4).fit([np.zeros(16_000)])
    result = transform_corpus(leaf, folder, tmp_path / "out", segment_s=0.05, on_error="skip")
    table = pd.read_parquet(tmp_path / "out" / "features")
    assert np.isfinite(table.iloc[:, 2:].to_numpy()).all()
    with (tmp_path / "out" / "errors.csv").open(newline="") as stream:
        bad = [(row["file"], row["reason"]) for row in csv.DictReader(stream)]
    assert all(file in reason for file, reason in bad)
    good = set(table["file"])
    assert good.isdisjoint(file for file, _ in bad)
    assert len(good) + len(bad) == result.n_files == len(seeds)
    assert len(SOURCES) < len(bad) < len(seeds)
