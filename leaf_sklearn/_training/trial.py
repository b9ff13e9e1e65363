"""The frontend at its start, kept beside the one that trains, so that both can be judged on held-out clips."""

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..frontends import Frontend
from .energies import Energies, measure_energies
from .loop import Labelled
from .probe import clip_scores, judge
from .split import MIN_CLIPS
from .targets import Targets


class Trial:
    """The start of a training, with what it says about the held-out clips (None: there is nothing to judge by).

    ``energies`` are those of the training clips, or of some of them. ``start`` is a frozen copy of the frontend;
    ``train`` and ``held_out`` get energies where the training may use them: where all are known, and the first filters
    are filters.
    """

    def __init__(
        self,
        frontend: Frontend,
        targets: Targets,
        train: Labelled,
        held_out: Labelled | None,
        energies: Energies,
        device: torch.device,
    ) -> None:
        self.start = copy.deepcopy(frontend).requires_grad_(False)
        self.targets, self.train, self.held_out = targets, train, held_out
        self.device, self.indices = device, energies.indices
        is_complete = len(energies.rows) == len(train.clips)
        if is_complete and frontend.center_frequencies() is not None:
            self.train = replace(train, energies=energies.in_order())
        self._scores = None
        if held_out is not None and len(held_out.clips) >= MIN_CLIPS:
            # shuffled: of many hours only the first clips are measured
            self.order = np.random.default_rng(0).permutation(len(held_out.clips))
            seen = measure_energies(frontend, held_out.clips, device, order=self.order)
            if self.train.energies is not None and len(seen.rows) == len(held_out.clips):
                self.held_out = replace(held_out, energies=seen.in_order())
            self._scores = self._judged(self.start, energies, seen)

    def judge(self, trained: Frontend) -> dict[str, Any]:
        """Compare the trained frontend with the start; what the history says, "kept" first."""
        if self.held_out is None:
            return {"kept": "trained", "judged": "no: no clips were held out"}
        if self._scores is None:
            return {"kept": "trained", "judged": f"no: {len(self.held_out.clips)} clips, fewer than {MIN_CLIPS}"}
        energies = measure_energies(trained, self.train.clips, self.device, order=self.indices)
        seen = measure_energies(trained, self.held_out.clips, self.device, order=self.order)
        return judge(self._scores, self._judged(trained, energies, seen))

    def _judged(self, frontend: Frontend, energies: Energies, seen: Energies) -> Any:
        assert self.held_out is not None
        return clip_scores(
            self.targets,
            energies.statistics(frontend),
            self.train.values[energies.indices],
            seen.statistics(frontend),
            self.held_out.values[seen.indices],
        )
