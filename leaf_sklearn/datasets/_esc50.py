"""ESC-50, environmental sounds."""

import csv
import os
from typing import Any

import numpy as np

from ._bunch import pack
from ._download import Archive, fetch_archive

# GitHub packs the archive when it is asked for, and its author gives no checksum
ARCHIVE = Archive(
    folder="esc50", url="https://github.com/karolpiczak/ESC-50/archive/master.zip", sha256=None, size="650 MB"
)
TOP = "ESC-50-master"

DESCR = """\
ESC-50 (K. J. Piczak, 2015): 2,000 recordings of 50 environmental sounds, 40 each, five seconds at 44.1 kHz, CC BY-NC
3.0; those of ESC-10, a part of it with 10 classes, CC BY 3.0. Clips of one recording are in one of the publisher's 5
folds; groups are the recordings."""


def fetch_esc50(
    *,
    data_home: str | os.PathLike[str] | None = None,
    esc10: bool = False,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Any:
    """Load the ESC-50 data set of environmental sounds, downloading it if necessary.

    2,000 clips of 50 classes, five seconds at 44.1 kHz, in five folds. The archive has 650 MB; an interrupted download
    goes on where it stopped, where the server allows that. Its author publishes no checksum, so none is checked.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder for data sets; None means scikit-learn's own, ``~/scikit_learn_data``.
    esc10 : bool, default=False
        Load only ESC-10: 400 clips of 10 classes.
    download_if_missing : bool, default=True
        False: raise OSError where the data is not there.
    return_X_y : bool, default=False
        Return ``(filenames, target)`` instead of a Bunch.
    n_retries : int, default=3
        Attempts after a failed one.
    delay : float, default=1.0
        Seconds between attempts.

    Returns
    -------
    Bunch
        As of :func:`load_audio_files`: `filenames` (n_clips,) str, to be used as X; `target` (n_clips,) int64,
        positions in `target_names`, a sorted list; `groups` (n_clips,) str, the recordings that clips were cut from;
        `split` None; `folds` (n_clips,) int64, the publisher's, for :class:`sklearn.model_selection.PredefinedSplit`;
        `DESCR`.

    Raises
    ------
    OSError
        Where the data is not there and may not or cannot be downloaded.
    ImportError
        Where pooch is missing for a download.

    References
    ----------
    K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.

    Examples
    --------
    >>> from sklearn.model_selection import PredefinedSplit
    >>> from leaf_sklearn.datasets import fetch_esc50
    >>> clips = fetch_esc50()  # doctest: +SKIP
    >>> cv = PredefinedSplit(clips.folds)  # doctest: +SKIP
    """
    root = fetch_archive(
        ARCHIVE, data_home=data_home, download_if_missing=download_if_missing, n_retries=n_retries, delay=delay
    )
    with (root / TOP / "meta" / "esc50.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if not esc10 or row["esc10"] == "True"]
    return pack(
        [str(root / TOP / "audio" / row["filename"]) for row in rows],
        [row["category"] for row in rows],
        groups=[row["src_file"] for row in rows],
        descr=DESCR,
        return_X_y=return_X_y,
        folds=np.array([int(row["fold"]) for row in rows], dtype=np.int64),
    )
