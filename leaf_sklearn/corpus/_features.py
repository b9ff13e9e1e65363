"""From files to rows: clips are transformed some at a time, a file's rows come out together."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from .._base import AudioTransformer
from .._clips.audio import AudioFileError
from .._clips.segments import Grid
from ._decode import decode_ahead

BATCH_CLIPS, BATCH_SAMPLES = 64, 2**21
"""What is handed to ``transform`` at once, at most, and one clip at least: 64 clips of two seconds at 16 kHz."""


@dataclass
class FileRows:
    """The rows of one file, or why there are none."""

    path: str
    starts: list[float] = field(default_factory=list)
    features: list[NDArray[Any]] = field(default_factory=list)
    error: AudioFileError | None = None


def of_decoded_clips(model: Any) -> tuple[Any, float]:
    """Return a copy of a model that takes clips at its own rate, and this rate in Hz.

    Raises
    ------
    ValueError
        The model is neither a transformer of this package nor a Pipeline that starts with one.
    """
    if isinstance(model, AudioTransformer):
        alike = copy(model)
        alike.input_sample_rate = None
        return alike, model.frontend_.sample_rate
    if isinstance(model, Pipeline) and isinstance(first := model.steps[0][1], AudioTransformer):
        pipeline = copy(model)
        alike, rate = of_decoded_clips(first)
        pipeline.steps = [(model.steps[0][0], alike), *model.steps[1:]]
        return pipeline, rate
    raise ValueError(
        f"Got a {type(model).__name__}, expected a transformer of leaf_sklearn or a Pipeline that starts with one."
    )


def file_rows(
    model: Any, files: Iterable[str], *, grid: Grid | None, threads: int, on_error: str
) -> Iterator[FileRows]:
    """Rows of each file, in order.

    Raises
    ------
    AudioFileError
        A file cannot be decoded and ``on_error`` is "raise".
    """
    alike, sample_rate = of_decoded_clips(model)
    batch: list[NDArray[np.float32]] = []
    owners: list[FileRows] = []
    ended: deque[FileRows] = deque()
    now: FileRows | None = None

    def flush() -> Iterator[FileRows]:
        if batch:
            for owner, row in zip(owners, np.asarray(alike.transform(batch)), strict=True):
                owner.features.append(row)
                if not np.isfinite(row).all():
                    owner.error = AudioFileError(f"{owner.path!r} gives features that are not finite.")
            batch.clear()
            owners.clear()
        while ended:
            file = ended.popleft()
            if file.error is not None and on_error == "raise":
                raise file.error
            yield file

    # the decoding threads end with it
    with closing(decode_ahead(files, sample_rate=sample_rate, grid=grid, threads=threads)) as decoding:
        for decoded in decoding:
            if now is None:
                now = FileRows(decoded.path)
            if decoded.clip is not None:
                if len(batch) == BATCH_CLIPS or sum(map(len, batch)) + len(decoded.clip) > BATCH_SAMPLES:
                    yield from flush()
                now.starts.append(decoded.start)
                batch.append(decoded.clip)
                owners.append(now)
                continue
            now.error = decoded.error or now.error
            ended.append(now)
            is_to_stop = now.error is not None and on_error == "raise"
            now = None
            if is_to_stop or not batch:
                yield from flush()
        yield from flush()
