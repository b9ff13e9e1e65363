"""Seconds of one fit at default settings: python benchmarks/fit_time.py TABLE_OR_FOLDER [--threads 2]"""

import argparse
import sys
import time

import torch

from leaf_sklearn import LeafTransformer
from leaf_sklearn.datasets import load_audio_files


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = load_audio_files(arguments.path)
    chosen = slice(None) if data.split is None else data.split != "test"
    X, y = data.filenames[chosen], data.target[chosen]
    groups = None if data.groups is None else data.groups[chosen]
    wall, processor = time.perf_counter(), time.process_time()
    LeafTransformer(random_state=0, device="cpu").fit(X, y, groups=groups)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    sys.stdout.write(
        f"{len(X)} clips, {arguments.threads} threads: {wall:.1f} s, {processor:.1f} s of processor time\n"
    )


if __name__ == "__main__":
    main()
