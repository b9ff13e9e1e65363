"""Speech Commands v0.02, the paper's keyword task."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._bunch import pack
from ._download import Archive, fetch_archive

ARCHIVE = Archive(
    folder="speech_commands_v0.02",
    url="https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    size="2.4 GB",
)
LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"

DESCR = """\
Speech Commands v0.02 (P. Warden, 2018): 105,829 utterances of 35 words by 2,618 speakers, one second at 16 kHz, CC BY
4.0. The split is the publisher's; groups are the speakers, of whom none is in two parts of it."""


def fetch_speech_commands(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: str = "all",
    words: Sequence[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Any:
    """Load the Speech Commands data set, version 0.02, downloading it if necessary.

    105,829 utterances of 35 words by 2,618 speakers, one second at 16 kHz: the paper's own keyword task. The archive
    has 2.4 GB, unpacked 3.4 GB; an interrupted download goes on where it stopped.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder for data sets; None means scikit-learn's own, ``~/scikit_learn_data``.
    subset : {"all", "train", "valid", "test"}, default="all"
        Part of the publisher's split.
    words : sequence of str, default=None
        Load only these, such as ``("yes", "no")``; None means all 35.
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
        positions in `target_names`, a sorted list; `groups` (n_clips,) str, the speakers; `split` (n_clips,) str;
        `DESCR`.

    Raises
    ------
    ValueError
        For an unknown subset or word.
    OSError
        Where the data is not there and may not or cannot be downloaded.
    ImportError
        Where pooch is missing for a download.

    References
    ----------
    P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018, arXiv:1804.03209.

    Examples
    --------
    >>> from leaf_sklearn.datasets import fetch_speech_commands
    >>> clips = fetch_speech_commands(words=("yes", "no"))  # doctest: +SKIP
    >>> X, y, groups = clips.filenames, clips.target, clips.groups  # doctest: +SKIP
    """
    if subset not in ("all", "train", *LISTS):
        raise ValueError(f"Got subset={subset!r}, expected one of {['all', 'train', *LISTS]}.")
    root = fetch_archive(
        ARCHIVE, data_home=data_home, download_if_missing=download_if_missing, n_retries=n_retries, delay=delay
    )
    there = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name != NOISE)
    chosen = there if words is None else list(words)
    if unknown := [word for word in chosen if word not in there]:
        raise ValueError(f"Got words {unknown}, expected some of {there}.")
    listed = {name: part for part, file in LISTS.items() for name in (root / file).read_text().split()}
    files = [path for word in sorted(set(chosen)) for path in sorted((root / word).glob("*.wav"))]
    split = np.array([listed.get(f"{path.parent.name}/{path.name}", "train") for path in files])
    kept = np.flatnonzero((split == subset) | (subset == "all"))
    return pack(
        [str(files[place]) for place in kept],
        [files[place].parent.name for place in kept],
        groups=[_speaker(files[place]) for place in kept],
        split=split[kept].tolist(),
        descr=DESCR,
        return_X_y=return_X_y,
    )


def _speaker(path: Path) -> str:
    """Speaker of a file that is called speaker_nohash_take.wav."""
    return path.name.partition("_nohash_")[0]
