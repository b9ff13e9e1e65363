"""What a classifier said about every test clip, as a short text in a row of results."""

import base64
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ._metrics import decision_values

Weights = NDArray[np.intp]  # how often each test clip was drawn, a line a draw


def encode_outcomes(classifier: Any, X: Any, y: NDArray[Any]) -> str:
    """Say which clips were right, a bit each; for several labels, the clips' ranks in each label, and the labels.

    Ranks tell as much as scores to metrics of ranking.
    """
    if y.ndim == 1:
        return _pack(np.asarray(classifier.predict(X) == y))
    ranks = rankdata(decision_values(classifier, X), method="dense", axis=0)
    ranks = ranks.astype("<u2" if ranks.max() < 2**16 else "<u4")
    return f"{_text(zlib.compress(ranks.tobytes()))} {_pack(y.astype(bool))}"


def metric_of_clips(text: str, n_clips: int) -> Callable[[Weights], NDArray[np.float64]]:
    """Return accuracy, or mAP for several labels a clip, as a function of how often clips count: (R, N) -> (R,)."""
    *ranks, bits = text.split(" ")
    truth = _unpack(bits).reshape(n_clips, -1)
    if not ranks:
        right = truth[:, 0].astype(np.float64)
        return lambda counts: counts @ right / counts.sum(1)
    unpacked = zlib.decompress(base64.b85decode(ranks[0]))
    scores = np.frombuffer(unpacked, dtype=f"<u{len(unpacked) // truth.size}").reshape(truth.shape)
    return _mean_precision(truth, scores.astype(np.int64))


def _mean_precision(truth: NDArray[np.bool_], ranks: NDArray[np.int64]) -> Callable[[Weights], NDArray[np.float64]]:
    """Prepare `macro_average_precision_score` of (n_clips, n_labels), so that drawing other clips sorts nothing."""
    order = np.argsort(-ranks, axis=0, kind="stable")
    positive = np.take_along_axis(truth, order, 0)
    falling = -np.take_along_axis(ranks, order, 0)
    # of clips with equal ranks, precision counts behind the last
    last = np.stack([np.searchsorted(column, column, side="right") - 1 for column in falling.T], axis=1)

    def metric(counts: Weights) -> NDArray[np.float64]:
        values = np.full((truth.shape[1], len(counts)), np.nan)
        for label, places in enumerate(order.T):
            drawn = counts[:, places]
            found = drawn * positive[:, label]
            hits, seen = np.cumsum(found, axis=1), np.cumsum(drawn, axis=1)
            precision = hits / np.maximum(seen, 1)
            total = hits[:, -1]
            sums = (found * precision[:, last[:, label]]).sum(1)
            varies = (total > 0) & (total < seen[:, -1])
            values[label, varies] = sums[varies] / total[varies]
        # labels that all drawn clips have, or none, say nothing
        says = ~np.isnan(values)
        return np.where(says, values, 0.0).sum(0) / np.where(says.any(0), says.sum(0), np.nan)

    return metric


def _pack(flags: NDArray[np.bool_]) -> str:
    return f"{flags.size}:{_text(np.packbits(flags).tobytes())}"


def _unpack(text: str) -> NDArray[np.bool_]:
    size, _, packed = text.partition(":")
    bits = np.frombuffer(base64.b85decode(packed), dtype=np.uint8)
    return np.unpackbits(bits)[: int(size)].astype(bool)


def _text(content: bytes) -> str:
    return base64.b85encode(content).decode()
