"""Where the default recipe starts: each channel's energy scale, and PCEN's parameters picked by cross-validation."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import BaseCrossValidator, StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor

from .._clips.clips import Clips
from .._functionals import summarize
from ..frontends import Frontend
from ..frontends.compression import PCEN
from .network import STATISTICS
from .recipe import RECIPES
from .targets import Targets

FIXED = {"alpha": 0.5, "delta": 1e-3, "root": 10.0, "smooth": 0.04}
ALPHAS = (0.05, 0.2, 0.5, 0.8, 0.95)
SHAPES = ((1e-3, 10.0), (1e-2, 4.0), (1.0, 2.0))  # (delta, root): from close to a logarithm to the usual square root
FOLDS = 4
MAX_SECONDS = 1800.0  # audio behind scale and search; more changes neither by much


@dataclass(frozen=True)
class Energies:
    """Channel energies of some training clips, before compression."""

    indices: NDArray[np.intp]
    batches: list[tuple[Tensor, Tensor]]  # (B, F, T) and frames a clip (B,)

    def channel_means(self) -> Tensor:
        """Mean over all frames, float64: (F,)."""
        totals = torch.stack([summarize(*batch, ("mean",)).double().T @ batch[1].double() for batch in self.batches])
        frames = sum(int(n_frames.sum()) for _, n_frames in self.batches)
        return totals.sum(0) / frames


def start_frontend(
    frontend: Frontend,
    clips: Clips,
    targets: Targets | None,
    groups: NDArray[Any] | None,
    *,
    recipe: str,
    search: bool,
    device: torch.device,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Put the frontend where its recipe starts; returns the first entry of the history, which says what was done."""
    entry: dict[str, Any] = {"step": 0, "start": "the reference's"}
    if not RECIPES[recipe].tuned or not frontend.compression.scalable:
        return entry
    energies = measure_energies(frontend, clips, device, rng)
    # a channel that is silent in every clip keeps its energies as they are
    means = energies.channel_means()
    frontend.set_energy_scale(torch.where(means > 0, means, 1.0).to(frontend.energy_scale))
    if not isinstance(frontend.compression, PCEN):
        return entry
    seed = int(rng.integers(2**31))
    reason = "compression_search=False" if not search else why_not_search(targets, energies.indices, groups)
    if reason is None:
        assert targets is not None
        members = None if groups is None else groups[energies.indices]
        start, score = search_start(frontend, energies, targets.values[energies.indices], members, seed)
        entry |= {"start": start, "picked_by": "cross-validation", "start_score": score}
    else:
        start = FIXED
        entry |= {"start": start, "picked_by": f"fixed: {reason}"}
    set_start(frontend, start)
    return entry


def measure_energies(
    frontend: Frontend, clips: Clips, device: torch.device, rng: np.random.Generator, batch_size: int = 32
) -> Energies:
    """Energies of training clips in random order, as many as make up ``MAX_SECONDS``."""
    order = rng.permutation(len(clips))
    chosen: list[NDArray[np.intp]] = []
    batches: list[tuple[Tensor, Tensor]] = []
    n_samples = 0
    frontend.to(device)
    with torch.inference_mode():
        for places, waveforms, lengths in clips.take(order).batches(batch_size):
            on_device = torch.from_numpy(lengths).to(device)
            energies = frontend.energies(torch.from_numpy(waveforms).to(device), on_device)
            batches.append((energies.cpu(), frontend.n_frames(on_device).cpu()))
            chosen.append(order[places])
            n_samples += int(lengths.sum())
            if n_samples > MAX_SECONDS * frontend.sample_rate:
                break
    frontend.cpu()
    return Energies(np.concatenate(chosen), batches)


def set_start(frontend: Frontend, start: dict[str, float]) -> None:
    """Fill PCEN's parameters, every channel alike."""
    with torch.no_grad():
        for name, value in start.items():
            getattr(frontend.compression, name).fill_(value)


def why_not_search(
    targets: Targets | None, indices: NDArray[np.intp], groups: NDArray[np.generic] | None
) -> str | None:
    """Return the reason why no start can be picked by cross-validation, None if one can."""
    if targets is None:
        return "no y was given"
    strata = targets.strata()
    if strata is None:
        return f"a {targets.kind} target has no single label to cross-validate on"
    smallest = np.bincount(strata[indices], minlength=strata.max() + 1).min()
    if smallest < FOLDS:
        return f"the smallest class has {smallest} clips, fewer than {FOLDS}"
    if groups is not None and len(np.unique(groups[indices])) < FOLDS:
        return f"there are fewer than {FOLDS} groups"
    return None


def search_start(
    frontend: Frontend,
    energies: Energies,
    labels: NDArray[np.intp],
    groups: NDArray[np.generic] | None,
    seed: int,
) -> tuple[dict[str, float], float]:
    """Find the PCEN start that linear and kernel classifiers like best, with its cross-validated accuracy.

    ``labels`` and ``groups`` belong to ``energies.indices``. The frontend is left at the last start tried.
    """
    folds = _folds(labels, groups, seed)
    best: tuple[dict[str, float], float] = (FIXED, -np.inf)
    for alpha, (delta, root) in product(ALPHAS, SHAPES):
        start = {**FIXED, "alpha": alpha, "delta": delta, "root": root}
        set_start(frontend, start)
        with torch.inference_mode():
            features = [summarize(frontend.compress(*batch), batch[1], STATISTICS) for batch in energies.batches]
        score = _accuracy(torch.cat(features).numpy(), labels, folds)
        if score > best[1]:
            best = (start, score)
    return best


def _folds(labels: NDArray[np.intp], groups: NDArray[np.generic] | None, seed: int) -> list[Any]:
    splitter: BaseCrossValidator
    if groups is None:
        splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    else:
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(labels, labels, groups))


def _accuracy(features: NDArray[np.float32], labels: NDArray[np.intp], folds: list[Any]) -> float:
    """Mean accuracy over folds of logistic regression and of an RBF support vector machine."""
    classifiers = (LogisticRegression(tol=1e-2, max_iter=1000), SVC(C=10))
    scores = [
        cross_val_score(make_pipeline(StandardScaler(), classifier), features, labels, cv=folds).mean()
        for classifier in classifiers
    ]
    return float(np.mean(scores))
