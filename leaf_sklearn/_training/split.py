"""Which training clips are held out to score the run."""

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from .targets import Targets

Indices = NDArray[np.intp]

DRAWS = 20  # of groups to hold out
MIN_CLIPS = 10  # held-out clips from which a standard error says something


def hold_out(
    targets: Targets, groups: NDArray[np.generic] | None, fraction: float | None, seed: int
) -> tuple[Indices, Indices | None, str | None]:
    """Training and held-out indices, and why nothing is held out where nothing is.

    Whole groups are held out where groups are given; otherwise the split is stratified by class as far as counts allow.
    """
    everything = np.arange(len(targets.values))
    if fraction is None:
        return everything, None, None
    n_held_out = round(fraction * len(everything))
    smaller_part = min(n_held_out, len(everything) - n_held_out)
    strata = targets.strata()
    if n_held_out < MIN_CLIPS:
        asked = f"validation_fraction={fraction:g} of {len(everything)} clips"
        return everything, None, f"{asked} is {n_held_out}, too few to judge by (fewer than {MIN_CLIPS})"
    if n_held_out == len(everything):
        return everything, None, f"validation_fraction={fraction:g} of {len(everything)} clips leaves none to train on"
    if groups is not None:
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            return everything, None, "there is one group only"
        share = min(max(fraction, 1 / n_groups), 1 - 1 / n_groups)
        splitter = GroupShuffleSplit(n_splits=DRAWS, test_size=share, random_state=seed)
        splits = splitter.split(everything, groups=groups)
        # of groups of unequal size the first draw that is within a factor of two of what was asked, or the nearest
        train, held_out = min(splits, key=lambda split: max(abs(np.log2(len(split[1]) / n_held_out)), 1.0))
    elif strata is not None and np.bincount(strata).min() >= 2 and smaller_part >= strata.max() + 1:
        splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_held_out, random_state=seed)
        train, held_out = next(splitter.split(everything, strata))
    else:
        splitter = ShuffleSplit(n_splits=1, test_size=n_held_out, random_state=seed)
        train, held_out = next(splitter.split(everything))
    if len(held_out) < MIN_CLIPS:
        return everything, None, f"the groups to hold out have {len(held_out)} clips, fewer than {MIN_CLIPS}"
    if strata is not None and len(np.unique(strata[train])) < strata.max() + 1:
        return everything, None, "holding clips out would take the only clips of a class"
    return train, held_out, None
