"""Peak memory and CPU time of LeafTransformer on many one-second files: python benchmarks/memory.py [N_FILES]."""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("n_files", nargs="?", type=int, default=10_000)
    n_files = parser.parse_args().n_files
    with tempfile.TemporaryDirectory() as folder:
        paths, labels = write_files(Path(folder), n_files)
        from leaf_sklearn import LeafTransformer

        before = peak_mb()
        start = time.process_time()
        leaf = LeafTransformer(random_state=0).fit(paths, labels)
        fit_seconds, after_fit = time.process_time() - start, peak_mb()
        start = time.process_time()
        features = leaf.transform(paths)
        transform_seconds = time.process_time() - start
        sys.stdout.write(
            f"{n_files} files: {before:.0f} MB before fit, peak {after_fit:.0f} MB after fit ({fit_seconds:.0f} s "
            f"of CPU), peak {peak_mb():.0f} MB after transform ({transform_seconds:.0f} s of CPU) to {features.shape}\n"
        )


if __name__ == "__main__":
    main()
