"""Where the default recipe starts: each channel's energy scale, and PCEN's parameters picked by cross-validation."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..frontends import Frontend
from ..frontends.base import SCALED_OFFSET
from ..frontends.compression import PCEN, Log
from .energies import Energies
from .probe import classifiers, one_blas_thread
from .targets import Targets

SILENCE = 1e-30
FLOORS = 1e-10, 1e3  # what float32 holds beside SILENCE, and beside the loudest energies
FIXED = {"alpha": 0.5, "delta": 1e-3, "root": 10.0, "smooth": 0.04}
Start = tuple[float, float, float]  # alpha, delta, root
# (delta, root) from close to a logarithm to the usual square root
GRID: tuple[Start, ...] = tuple(
    (alpha, *shape) for alpha, shape in product((0.05, 0.2, 0.5, 0.8, 0.95), ((1e-3, 10.0), (1e-2, 4.0), (1.0, 2.0)))
)
FOLDS = 4
ROWS = "a bool or rows of (alpha, delta, root)"
NO_PCEN = "fixed: this frontend has no PCEN"


def check_starts(search: Any) -> tuple[Start, ...]:
    """Return the starts among which to search, none for False, or raise a ValueError that says what is wrong."""
    if isinstance(search, bool | np.bool_):
        return GRID if search else ()
    try:
        rows = np.asarray(search, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Got compression_search={search!r}, expected {ROWS}.") from error
    if rows.ndim != 2 or rows.shape[1:] != (3,) or not len(rows):
        raise ValueError(f"Got compression_search of shape {rows.shape}, expected {ROWS}.")
    alpha, delta, root = rows.T
    outside = ~((alpha > 0) & (alpha < 1) & (delta > 0) & (root >= 1) & np.isfinite(rows).all(1))
    if outside.any():
        row = rows[outside.argmax()].tolist()
        raise ValueError(f"Got {row} in compression_search, expected 0 < alpha < 1, delta > 0, root >= 1.")
    return tuple((float(a), float(d), float(r)) for a, d, r in rows)


def check_floor(frontend: Frontend, floor: float | None, *, scaled: bool = True) -> None:
    """Refuse a ``floor`` where no logarithm would take it, or a recipe does not scale energies."""
    if floor is None:
        return
    if not isinstance(frontend.compression, Log):
        name, compression = frontend.config["name"], frontend.config["compression"]
        raise ValueError(f"Got floor={floor} with {name!r} and compression={compression!r}, expected 'log'.")
    if not scaled:
        raise ValueError(f"Got floor={floor} in the paper's recipe, expected recipe='default': energies stay unscaled.")


def scale_energies(frontend: Frontend, energies: Energies, floor: float | None = None) -> None:
    """Divide each channel by its mean energy, or by what puts ``floor`` times this mean under a logarithm."""
    # scaling and logarithm add 1e-5 each: log(x / scale + 2e-5) is log(x + floor * mean) plus a constant
    share = 1.0 if floor is None else floor / (2 * SCALED_OFFSET)
    means = energies.channel_means()
    # a channel that is silent in every clip keeps its energies as they are; less has no inverse in float32
    frontend.set_energy_scale(torch.where(means > SILENCE, means * share, 1.0).to(frontend.energy_scale))


def start_frontend(
    frontend: Frontend,
    energies: Energies,
    targets: Targets | None,
    values: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    *,
    floor: float | None,
    starts: Sequence[Start],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Put the frontend where the default recipe starts; returns what the history says about it.

    ``values`` (encoded; None without y) and ``groups`` are those of the clips that the energies were taken from.
    """
    if not frontend.compression.scalable:
        return {"picked_by": NO_PCEN}
    scale_energies(frontend, energies, floor)
    if not isinstance(frontend.compression, PCEN):
        return {"picked_by": NO_PCEN}
    seed = int(rng.integers(2**31))
    labels = None if values is None else values[energies.indices]
    members = None if groups is None else groups[energies.indices]
    reason = why_not_search(targets, labels, members) if starts else "compression_search=False"
    if reason or labels is None:
        set_start(frontend, FIXED)
        return {"start": FIXED, "picked_by": f"fixed: {reason}"}
    start, score = search_start(frontend, energies, labels, members, starts, seed)
    set_start(frontend, start)
    if score == -np.inf:
        return {"start": FIXED, "picked_by": "fixed: the groups leave fewer than two folds with several classes"}
    return {"start": start, "picked_by": "cross-validation", "start_score": score}


def set_start(frontend: Frontend, start: dict[str, float]) -> None:
    """Fill PCEN's parameters, every channel alike."""
    with torch.no_grad():
        for name, value in start.items():
            getattr(frontend.compression, name).fill_(value)


def why_not_search(
    targets: Targets | None, values: NDArray[Any] | None, groups: NDArray[np.generic] | None
) -> str | None:
    """Return the reason why no start can be picked by cross-validation, None if one can."""
    if targets is None or values is None:
        return "no y was given"
    if targets.strata() is None:
        return f"a {targets.kind} target has no single label to cross-validate on"
    smallest = np.bincount(values, minlength=targets.n_outputs).min()
    if smallest < FOLDS:
        return f"the smallest class has {smallest} clips, fewer than {FOLDS}"
    if groups is not None and len(np.unique(groups)) < FOLDS:
        return f"there are fewer than {FOLDS} groups"
    return None


def search_start(
    frontend: Frontend,
    energies: Energies,
    labels: NDArray[np.intp],
    groups: NDArray[np.generic] | None,
    starts: Sequence[Start],
    seed: int,
) -> tuple[dict[str, float], float]:
    """Find the PCEN start that linear and kernel classifiers like best, with its cross-validated accuracy.

    ``labels`` and ``groups`` belong to the clips of the energies. The frontend is left at the last start tried. Minus
    infinity where the groups leave fewer than two folds to judge by.
    """
    folds = [(train, test) for train, test in _folds(labels, groups, seed) if len(test) and np.ptp(labels[train])]
    best: tuple[dict[str, float], float] = (FIXED, -np.inf)
    if len(folds) < 2:
        return best
    for alpha, delta, root in starts:
        start = {**FIXED, "alpha": alpha, "delta": delta, "root": root}
        set_start(frontend, start)
        score = _accuracy(energies.statistics(frontend), labels, folds)
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


@one_blas_thread()
def _accuracy(features: NDArray[np.float32], labels: NDArray[np.intp], folds: list[Any]) -> float:
    """Mean accuracy over folds of logistic regression and of an RBF support vector machine."""
    scores = [
        cross_val_score(make_pipeline(StandardScaler(), classifier), features, labels, cv=folds, n_jobs=1).mean()
        for classifier in classifiers()
    ]
    return float(np.mean(scores))
