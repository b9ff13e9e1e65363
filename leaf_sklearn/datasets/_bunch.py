"""Labelled files as the Bunch that every loader returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch


def pack(
    filenames: Sequence[str],
    labels: Sequence[str],
    *,
    groups: Sequence[str],
    descr: str,
    return_X_y: bool,
    split: Sequence[str] | None = None,
    **others: Any,
) -> Any:
    """Files with one label each as a Bunch like that of ``load_audio_files``, or as ``(filenames, target)``."""
    names, target = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    files = np.array(filenames, dtype=str)
    target = target.astype(np.int64)
    if return_X_y:
        return files, target
    return Bunch(
        filenames=files,
        target=target,
        target_names=names.tolist(),
        groups=np.array(groups, dtype=str),
        split=None if split is None else np.array(split, dtype=str),
        DESCR=descr,
        **others,
    )
