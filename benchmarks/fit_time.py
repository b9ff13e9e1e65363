"""Seconds of one fit at default settings, and what takes them: python benchmarks/fit_time.py TABLE_OR_FOLDER"""

import argparse
import functools
import sys
import time
from collections import defaultdict

import torch

from leaf_sklearn import LeafTransformer, _leaf
from leaf_sklearn._clips.clips import Clips
from leaf_sklearn._training import loop, trial
from leaf_sklearn.datasets import load_audio_files

PARTS = {
    "forward and backward passes": [(loop.Training, "_gradients")],
    "filtering all clips": [(module, "measure_energies") for module in (_leaf, loop, trial)],
    "search for PCEN's start": [(_leaf, "start_frontend")],
    "judging by held-out clips": [(trial, "clip_scores"), (loop.Training, "evaluate")],
    "reading, cropping, padding": [(Clips, "read"), (loop.Training, "_crops"), (loop.Training, "_crop_frames")],
    "optimiser": [(torch.optim.AdamW, "step")],
    "the rest": [(LeafTransformer, "fit")],
}


def put_clocks():
    """Have the functions above count the processor time that they take without one another, by part."""
    seconds, inside = defaultdict(float), [0.0]

    def clocked(part, function):
        @functools.wraps(function)
        def run(*args, **options):
            inside.append(0.0)
            start = time.process_time()
            result = function(*args, **options)
            spent = time.process_time() - start
            seconds[part] += spent - inside.pop()
            inside[-1] += spent
            return result

        return run

    for part, functions in PARTS.items():
        for owner, name in functions:
            setattr(owner, name, clocked(part, getattr(owner, name)))
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = load_audio_files(arguments.path)
    chosen = slice(None) if data.split is None else data.split != "test"
    X, y = data.filenames[chosen], data.target[chosen]
    groups = None if data.groups is None else data.groups[chosen]
    seconds = put_clocks()
    wall, processor = time.perf_counter(), time.process_time()
    LeafTransformer(random_state=0, device=arguments.device).fit(X, y, groups=groups)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    sys.stdout.write(
        f"{len(X)} clips, {arguments.threads} threads: {wall:.1f} s, {processor:.1f} s of processor time\n"
    )
    for part in sorted(PARTS, key=lambda part: seconds[part], reverse=True):
        sys.stdout.write(f"{100 * seconds[part] / processor:5.1f} %  {part}\n")


if __name__ == "__main__":
    main()
