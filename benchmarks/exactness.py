"""How far the fast form moves features of recordings at the start of the default recipe, and what that costs.

    python benchmarks/exactness.py TASKS

LEAF's energies by the fast form in float32 and by convolution in float64; then PCEN as the default recipe starts it:
energies over their channel's mean of the task, an offset of 1e-3, an exponent of 0.1, three gains. Prints, for every
task, in how many recordings features move by more than 2e-3 somewhere, and the largest move: by the fast form, without
its second looks, and with the plan of a GPU; then the median over recordings of the largest move of each, what share of
them took a second look, and the time of energies in milliseconds per second of audio (one thread, batches of 32
recordings of about one length), without second looks and with them.
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from leaf_sklearn.dsp.band_plan import plan_bands
from leaf_sklearn.dsp.band_weights import PreparedBands, prepare_bands
from leaf_sklearn.dsp.bandlimited import pooled_energies
from leaf_sklearn.dsp.compression import pcen
from leaf_sklearn.dsp.smoothing import exponential_moving_average
from leaf_sklearn.frontends import make_frontend

BOUND, BATCH_SIZE, ROUNDS = 2e-3, 32, 3


def features(energies: Tensor, scale: Tensor, alpha: float) -> Tensor:
    """PCEN as the default recipe starts it."""
    scaled = energies / scale[:, None] + 1e-5
    smooth, gain, delta, root = (torch.full_like(scale, value) for value in (0.04, alpha, 1e-3, 10.0))
    return pcen(scaled, exponential_moving_average(scaled, smooth), gain, delta, root, floor=1e-12)


def largest_move(found: Tensor, wanted: Tensor, scale: Tensor) -> float:
    """Largest difference of features with three gains."""
    gains = (0.05, 0.5, 0.95)
    return max(float((features(found, scale, gain) - features(wanted, scale, gain)).abs().max()) for gain in gains)


def times(clips: list[Tensor], forms: tuple[PreparedBands, ...]) -> list[float]:
    """Median milliseconds per second of audio of each form, in turns."""
    clips, batches = sorted(clips, key=len), []
    for first in range(0, len(clips), BATCH_SIZE):
        rows = clips[first : first + BATCH_SIZE]
        lengths = torch.tensor([len(row) for row in rows])
        equal = bool((lengths == lengths[0]).all())
        batches.append((torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), None if equal else lengths))
    spent: list[list[float]] = [[] for _ in forms]
    for _ in range(ROUNDS):
        for bands, seconds in zip(forms, spent, strict=True):
            start = time.perf_counter()
            for waveforms, lengths in batches:
                pooled_energies(waveforms, lengths, bands)
            seconds.append(time.perf_counter() - start)
    audio_s = sum(map(len, clips)) / 16000
    return [1e3 * statistics.median(seconds) / audio_s for seconds in spent]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = make_frontend("leaf")
    values = start.filterbank.center, start.filterbank.sigma, start.pooling.clipped_width
    plan, of_a_gpu = (
        plan_bands(*values, kernel_size=start.window, hop=start.pooling.hop, few_groups=few) for few in (False, True)
    )
    plans = plan, replace(plan, second=None), of_a_gpu
    fast, once, gpu = (prepare_bands(*values, each, dtype=torch.float32) for each in plans)
    direct = make_frontend("leaf", algorithm="direct").double()
    print(f"{plan.rates.sum()} nodes a hop, on a GPU {of_a_gpu.rates.sum()}")
    print(f"| task | recordings | of them beyond {BOUND:g} | largest | median | second looks | once, ms | in all, ms |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    for task in sorted(path for path in options.tasks.iterdir() if path.is_dir()):
        clips = [torch.from_numpy(soundfile.read(path)[0]) for path in sorted((task / "clips").glob("*.flac"))]
        exact = [direct.energies(clip[None]) for clip in clips]
        scale = torch.cat(exact, 2).mean((0, 2))
        moves, looks = [], 0
        for clip, wanted in zip(clips, exact, strict=True):
            found = [pooled_energies(clip[None].float(), None, bands) for bands in (fast, once, gpu)]
            looks += not torch.equal(found[0], found[1])
            moves.append([largest_move(each.double(), wanted, scale) for each in found])
        beyond = " / ".join(str(count) for count in (np.array(moves) > BOUND).sum(0))
        largest = " / ".join(f"{move:.2g}" for move in np.max(moves, 0))
        cost = " | ".join(f"{each:.3f}" for each in times([clip.float() for clip in clips], (once, fast)))
        shares = f"{np.median(moves, 0)[0]:.1g} | {looks / len(clips):.0%}"
        print(f"| {task.name} | {len(clips)} | {beyond} | {largest} | {shares} | {cost} |", flush=True)


if __name__ == "__main__":
    main()
