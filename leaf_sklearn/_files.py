"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside this one; it takes its place when the block ends well, and goes otherwise."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem}-{os.getpid()}{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable_place(path: str | os.PathLike[str]) -> Path:
    """Return a path whose folder exists; FileNotFoundError before the work rather than after it."""
    place = Path(path)
    if not place.parent.is_dir():
        raise FileNotFoundError(f"{place.parent} is not a folder, so {place} cannot be written.")
    if place.is_dir():
        raise ValueError(f"{place} is a folder, expected the name of a file.")
    return place
