"""Learned audio features for scikit-learn."""

from ._classifier import LeafClassifier
from ._leaf import LeafTransformer
from ._mel import MelTransformer
from ._persistence import load_model
from ._windower import Windower

__version__ = "0.1.0"
__all__ = ["LeafClassifier", "LeafTransformer", "MelTransformer", "Windower", "__version__", "load_model"]
