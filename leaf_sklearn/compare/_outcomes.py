"""What a classifier said about every test clip, as a short text in a row of results."""

import base64
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ._metrics import decision_values, macro_average_precision_score

Weights = NDArray[np.intp]


def encode_outcomes(classifier: Any, X: Any, y: NDArray[Any]) -> str:
    """Say which clips were right, a bit each; for several labels, the clips' ranks in each label, and the labels.

    Ranks tell as much as scores to metrics of ranking.
    """
    if y.ndim == 1:
        return _pack(np.asarray(classifier.predict(X) == y))
    ranks = rankdata(decision_values(classifier, X), method="dense", axis=0).astype("<u2")
    return f"{_text(zlib.compress(ranks.tobytes()))} {_pack(y.astype(bool))}"


def metric_of_clips(text: str, n_clips: int) -> Callable[[Weights], float]:
    """Return accuracy, or mAP for several labels a clip, as a function of which clips (with repeats) to score."""
    *ranks, bits = text.split(" ")
    truth = _unpack(bits).reshape(n_clips, -1)
    if not ranks:
        right = truth[:, 0].astype(np.float64)
        return lambda clips: float(right[clips].mean())
    scores = np.frombuffer(zlib.decompress(base64.b85decode(ranks[0])), dtype="<u2").reshape(truth.shape)
    return lambda clips: macro_average_precision_score(truth[clips], scores[clips])


def _pack(flags: NDArray[np.bool_]) -> str:
    return f"{flags.size}:{_text(np.packbits(flags).tobytes())}"


def _unpack(text: str) -> NDArray[np.bool_]:
    size, _, packed = text.partition(":")
    bits = np.frombuffer(base64.b85decode(packed), dtype=np.uint8)
    return np.unpackbits(bits)[: int(size)].astype(bool)


def _text(content: bytes) -> str:
    return base64.b85encode(content).decode()
