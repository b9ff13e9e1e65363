"""Pictures of filters, features, training and comparisons, in scikit-learn's Display convention."""

from ._comparison import ComparisonDisplay
from ._features import FeaturesDisplay
from ._filterbank import FilterbankDisplay
from ._training import TrainingDisplay

__all__ = ["ComparisonDisplay", "FeaturesDisplay", "FilterbankDisplay", "TrainingDisplay"]
