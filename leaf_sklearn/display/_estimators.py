"""Which fitted transformer a display is of."""

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._base import AudioTransformer


def audio_transformer(estimator: Any) -> AudioTransformer:
    """Find the fitted transformer of audio in a fitted estimator; TypeError where there is none."""
    check_is_fitted(estimator)
    found = estimator
    while not isinstance(found, AudioTransformer):
        if isinstance(found, Pipeline):
            steps = [step for _, step in found.steps if _holds_one(step)]
            found = steps[0] if steps else None
        else:
            found = getattr(found, "best_estimator_", None) or getattr(found, "transformer_", None)
        if found is None:
            raise TypeError(
                f"Got a {type(estimator).__name__}, expected a LeafTransformer or MelTransformer, or a pipeline, "
                "search or LeafClassifier that holds one."
            )
    check_is_fitted(found)
    return found


def _holds_one(step: Any) -> bool:
    return isinstance(step, AudioTransformer | Pipeline) or hasattr(step, "transformer_")
