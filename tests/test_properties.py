"""Whatever the numbers are stored as and in, the features are those of plain float32 clips."""

import os

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaf_sklearn import LeafTransformer, MelTransformer

DTYPES = ["<i2", ">i2", "<i4", ">i4", "i1", "u1", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


def fortran(X, folder):
    return np.asfortranarray(X)


def reversed_in_memory(X, folder):
    return X[::-1, ::-1].copy()[::-1, ::-1]


def strided(X, folder):
    return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]


def broadcast(X, folder):
    """Rows of stride 0 where they are equal, a copy otherwise."""
    return np.broadcast_to(X[:1], X.shape) if (X == X[:1]).all() else X.copy()


def read_only(X, folder):
    X = X.copy()
    X.flags.writeable = False
    return X


def memmap(X, folder):
    path = os.path.join(folder, "x.bin")
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


LAYOUTS = [fortran, reversed_in_memory, strided, broadcast, read_only, memmap, lambda X, folder: X]


def objects(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


def native(X):
    """Pandas and polars take native numbers, and polars no halves."""
    return X.astype(np.float32 if X.dtype.kind == "f" and X.dtype.itemsize == 2 else X.dtype.newbyteorder("="))


CONTAINERS = {
    "array": lambda X: X,
    "list of arrays": list,
    "tuple of arrays": tuple,
    "nested lists": lambda X: X.tolist(),
    "list of lists": lambda X: [row.tolist() for row in X],
    "object table": lambda X: X.astype(object),
    "object array": lambda X: objects(list(X)),
    "pandas frame": lambda X: pd.DataFrame(native(X)),
    "pandas series": lambda X: pd.Series(list(X)),
    "polars frame": lambda X: pl.DataFrame(native(X), schema=[f"t{number}" for number in range(X.shape[1])]),
    "polars series": lambda X: pl.Series([row.tolist() for row in X]),
}


@pytest.fixture(scope="module")
def transformers():
    leaf = LeafTransformer(sample_rate=2_000, n_filters=3, max_steps=1, random_state=0)
    return [leaf.fit([np.ones(200)]), MelTransformer(sample_rate=2_000, n_filters=3).fit([np.ones(200)])]


# polars columns have names, the clips of fit had none
@pytest.mark.filterwarnings("ignore:X has feature names")
@settings(
    deadline=None, max_examples=200, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n_clips=st.integers(1, 4),
    n_times=st.integers(1, 300),
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(LAYOUTS),
    container=st.sampled_from(sorted(CONTAINERS)),
    which=st.integers(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_storage_does_not_show(transformers, tmp_path, n_clips, n_times, dtype, layout, container, which, seed):
    rng = np.random.default_rng(seed)
    low, high = (0, 100) if dtype == "u1" else (-100, 100)
    plain = rng.integers(low, high, (n_clips, n_times)).astype(np.float32)
    X = CONTAINERS[container](layout(plain.astype(dtype), tmp_path))
    transformer = transformers[which]
    expected = transformer.transform(list(plain))
    found = transformer.transform(X)
    np.testing.assert_array_equal(found.astype(np.float32), expected)
    assert found.dtype in (np.float32, np.float64) and np.isfinite(found).all()


@settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 700), min_size=1, max_size=8), seed=st.integers(0, 2**32 - 1))
def test_clips_of_any_lengths_are_independent(transformers, lengths, seed):
    rng = np.random.default_rng(seed)
    clips = [rng.normal(0, 0.1, length) for length in lengths]
    for transformer in transformers:
        together = transformer.transform(clips)
        alone = np.concatenate([transformer.transform([clip]) for clip in clips])
        np.testing.assert_array_equal(together, alone)
