"""The audio files that a folder holds."""

import os
from collections.abc import Iterator

from .audio import EXTENSIONS


def audio_files(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Audio files at any depth, sorted folder by folder, without names that start with a dot.

    Links to folders are followed, but into each folder only once: they may run in circles.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(EXTENSIONS):
                yield os.path.join(parent, name)
