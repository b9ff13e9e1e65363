"""
Mel against LEAF with intervals
===============================

``compare`` scores frontends on clips that none of them was fitted on; ``ComparisonDisplay`` draws the table.
"""

# %%
# Two seeds and two classifiers on clips that are split once. ``leaf-sklearn compare`` does the same for folders of
# recordings, and writes a page with all of it.
import numpy as np

from leaf_sklearn.compare import compare
from leaf_sklearn.datasets import make_audio_classification
from leaf_sklearn.display import ComparisonDisplay

X, y = make_audio_classification(n_clips=240, n_classes=8, duration_s=0.25, random_state=0)
split = np.where(np.arange(len(y)) < 120, "train", "test")
result = compare(
    {"synthetic": (X, y, None, split)},
    frontends=["mel", "leaf"],
    seeds=2,
    transformer_params={"n_filters": 24, "max_steps": 32, "compression_search": False},
)
ComparisonDisplay.from_comparison(result)

# %%
# The whiskers are the 95 % interval that 120 test clips leave open: where they overlap, this many clips decide nothing.
print(result.to_markdown())
