"""Learned audio features for scikit-learn."""

from ._leaf import LeafTransformer
from ._mel import MelTransformer

__version__ = "0.1.0"
__all__ = ["LeafTransformer", "MelTransformer", "__version__"]
