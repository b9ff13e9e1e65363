"""
Where the filters went
======================

``FilterbankDisplay`` and ``TrainingDisplay`` show what ``fit`` did to a LEAF frontend.
"""

# %%
# A small frontend is trained on synthetic sounds of eight classes.
from leaf_sklearn import LeafTransformer
from leaf_sklearn.datasets import make_audio_classification
from leaf_sklearn.display import FilterbankDisplay, TrainingDisplay

X, y = make_audio_classification(n_clips=160, n_classes=8, duration_s=0.25, random_state=0)
leaf = LeafTransformer(n_filters=24, max_steps=48, compression_search=False, random_state=0)
leaf.fit(X, y)

# %%
# The dashed line is the step whose state was kept: the last one, unless the held-out clips say that training did
# harm.
TrainingDisplay.from_estimator(leaf)

# %%
# The same as a table:
print(leaf.history_)

# %%
# Every filter started on the mel scale. The drift is shown in Hz and in octaves, because 100 Hz are much for a low
# filter and little for a high one.
FilterbankDisplay.from_estimator(leaf, kind="drift")

# %%
# All there is to see of a filterbank in one figure:
FilterbankDisplay.from_estimator(leaf)
