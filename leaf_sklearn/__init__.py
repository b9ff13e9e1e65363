"""Learned audio features for scikit-learn."""

from ._classifier import LeafClassifier
from ._leaf import LeafTransformer
from ._mel import MelTransformer

__version__ = "0.1.0"
__all__ = ["LeafClassifier", "LeafTransformer", "MelTransformer", "__version__"]
