"""How far the fast form moves features of recordings at the start of the default recipe.

    python benchmarks/exactness.py TASKS [--side-lobe 9e-5] [--without-estimate]

LEAF's energies by the fast form in float32 and by convolution in float64; then PCEN as the default recipe starts it:
energies over their channel's mean of the task, an offset of 1e-3, an exponent of 0.1, three gains. Prints, for every
task, in how many recordings features move by more than 2e-3 somewhere, and the largest and the median over recordings
of the largest move of each.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from leaf_sklearn.dsp.band_plan import SIDE_LOBE, plan_bands
from leaf_sklearn.dsp.band_weights import prepare_bands
from leaf_sklearn.dsp.bandlimited import pooled_energies
from leaf_sklearn.dsp.compression import pcen
from leaf_sklearn.dsp.smoothing import exponential_moving_average
from leaf_sklearn.frontends import make_frontend

BOUND = 2e-3


def features(energies: Tensor, scale: Tensor, alpha: float) -> Tensor:
    """PCEN as the default recipe starts it."""
    scaled = energies / scale[:, None] + 1e-5
    smooth, gain, delta, root = (torch.full_like(scale, value) for value in (0.04, alpha, 1e-3, 10.0))
    return pcen(scaled, exponential_moving_average(scaled, smooth), gain, delta, root, floor=1e-12)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", type=Path)
    parser.add_argument("--side-lobe", type=float, default=SIDE_LOBE)
    parser.add_argument("--without-estimate", action="store_true", help="of what side lobes left out would have added")
    options = parser.parse_args()
    start = make_frontend("leaf")
    values = start.filterbank.center, start.filterbank.sigma, start.pooling.clipped_width
    plan = plan_bands(*values, kernel_size=start.window, hop=start.pooling.hop, side_lobe=options.side_lobe)
    if options.without_estimate:
        plan = replace(plan, leaks=None)
    fast = partial(pooled_energies, lengths=None, bands=prepare_bands(*values, plan, dtype=torch.float32))
    direct = make_frontend("leaf", algorithm="direct").double()
    print(f"{sum(group.rate * len(group.filters) for group in plan.groups)} nodes a hop")
    print(f"| task | recordings | of them beyond {BOUND:g} | largest | median |\n|---|--:|--:|--:|--:|")
    for task in sorted(path for path in options.tasks.iterdir() if path.is_dir()):
        clips = [torch.from_numpy(soundfile.read(path)[0])[None] for path in sorted((task / "clips").glob("*.flac"))]
        exact = [direct.energies(clip) for clip in clips]
        scale = torch.cat(exact, 2).mean((0, 2))
        moves = []
        for clip, wanted in zip(clips, exact, strict=True):
            got = fast(clip.float()).double()
            moved = [features(got, scale, alpha) - features(wanted, scale, alpha) for alpha in (0.05, 0.5, 0.95)]
            moves.append(float(torch.stack(moved).abs().max()))
        beyond = sum(move > BOUND for move in moves)
        print(f"| {task.name} | {len(moves)} | {beyond} | {max(moves):.2g} | {np.median(moves):.1g} |", flush=True)


if __name__ == "__main__":
    main()
