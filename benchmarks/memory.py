"""Peak memory and CPU time of LeafTransformer on many one-second files: python benchmarks/memory.py [N_FILES].

fit and transform run in a process of their own each, so that the peak of one does not hide that of the other.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

SAMPLE_RATE = 16000


def write_files(folder: Path, n_files: int) -> tuple[list[str], np.ndarray]:
    """One-second WAV files of noise in two colours, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(n_files) % 2
    paths = []
    for number, label in enumerate(labels):
        noise = rng.standard_normal(SAMPLE_RATE)
        clip = 0.1 * (np.diff(noise, prepend=0.0) if label else noise)
        paths.append(str(folder / f"{number:06d}.wav"))
        soundfile.write(paths[-1], clip, SAMPLE_RATE, subtype="PCM_16")
    return paths, labels


def peak_mb() -> float:
    """Peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fit(model: Path, paths: list[str], labels: np.ndarray) -> str:
    from leaf_sklearn import LeafTransformer

    return told("fit", lambda: LeafTransformer(random_state=0).fit(paths, labels).save(model))


def transform(model: Path, paths: list[str]) -> str:
    from leaf_sklearn import LeafTransformer

    leaf = LeafTransformer.load(model)
    leaf.transform(paths[:1])  # torch loads some of itself with the first call
    return told("transform", lambda: leaf.transform(paths))


def told(name: str, work: Callable[[], Any]) -> str:
    """Do it and say what it took."""
    before, start = peak_mb(), time.process_time()
    work()
    return f"{name}: {before:.0f} MB before, peak {peak_mb():.0f} MB, {time.process_time() - start:.0f} s of CPU\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n_files", nargs="?", type=int, default=10_000)
    n_files = parser.parse_args().n_files
    with tempfile.TemporaryDirectory() as folder:
        paths, labels = write_files(Path(folder), n_files)
        model = Path(folder) / "leaf.safetensors"
        for work, arguments in ((fit, (model, paths, labels)), (transform, (model, paths))):
            with get_context("spawn").Pool(1) as pool:
                sys.stdout.write(f"{n_files} files, {pool.apply(work, arguments)}")


if __name__ == "__main__":
    main()
