# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What did the filters learn?
#
# A LEAF frontend has seven numbers a filter: centre, bandwidth, pooling width, and four of the compression. All of them
# can be looked at. Where `../../shared/tasks` stands beside the checkout, this notebook trains on musical notes and
# asks for their pitch; where it does not, on synthetic clips.

# %%
from pathlib import Path

import numpy as np
import pandas as pd

from leaf_sklearn import LeafTransformer
from leaf_sklearn.datasets import load_audio_files, make_audio_classification
from leaf_sklearn.display import FeaturesDisplay, FilterbankDisplay, TrainingDisplay

# %%
table = Path("../../shared/tasks/music_notes/metadata_pitch.csv")
if table.is_file():
    notes = load_audio_files(table, label="pitch")
    chosen = (notes.split == "train") & (notes.target % 3 == 0)  # every third semitone
    X, y = notes.filenames[chosen], notes.target[chosen]
else:
    X, y = make_audio_classification(n_clips=240, n_classes=12, duration_s=0.5, random_state=0)
len(X), len(np.unique(y))

# %% [markdown]
# ## Training
#
# Crops of 0.4 s are enough for a pitch and keep this short.

# %%
leaf = LeafTransformer(max_steps=96, crop_ms=400, compression_search=False, random_state=0)
leaf.fit(X, y)

# %%
TrainingDisplay.from_estimator(leaf);

# %% [markdown]
# ## Where the filters are
#
# Mel filters stand close together below 1 kHz and far apart above. Each filter started there (grey) and went where the
# labels pulled it (blue). The same distance means more to a low filter than to a high one, so the drift is shown in Hz
# and in octaves.

# %%
display = FilterbankDisplay.from_estimator(leaf, kind="drift")

# %%
farthest = np.argsort(-np.abs(np.nan_to_num(display.drift_octaves)))[:8]
pd.DataFrame(
    {
        "start, Hz": display.initial_center_frequencies[farthest].round(),
        "learned, Hz": display.center_frequencies[farthest].round(),
        "moved, octaves": display.drift_octaves[farthest].round(2),
        "width at the start, Hz": display.initial_bandwidths[farthest].round(),
        "width, Hz": display.bandwidths[farthest].round(),
    },
    index=pd.Index(farthest, name="filter"),
)

# %% [markdown]
# How much moved in all, in spacings of the filters: the drift divided by the distance to the next filter at the start.

# %%
spacing = np.gradient(display.initial_center_frequencies)
np.round(np.percentile(np.abs(display.drift_hz) / spacing, [25, 50, 75, 100]), 2)

# %% [markdown]
# ## How wide they are
#
# A filter twice as wide answers twice as fast and tells half as many pitches apart. Each is tied to its start.

# %%
FilterbankDisplay.from_estimator(leaf, kind="bandwidths")
FilterbankDisplay.from_estimator(leaf, kind="responses");

# %% [markdown]
# ## What comes after the filters
#
# The pooling window decides how fast a channel can change, PCEN how much of its own running mean is divided out (gain),
# how strongly quiet parts are lifted (offset and exponent) and over what time the mean runs (smoothing).

# %%
FilterbankDisplay.from_estimator(leaf, kind="pooling")
FilterbankDisplay.from_estimator(leaf, kind="pcen");

# %% [markdown]
# ## A clip through both
#
# The same clip through mel filters with the same settings and through what was learned:

# %%
FeaturesDisplay.from_estimator(leaf, X[0]);

# %% [markdown]
# Filters that barely move are no failure: the mel scale is a good start, and in our measurements compression gains more
# than centres do. To see what each part is worth on your clips, put `compression="log"` beside `"pcen"` in a
# comparison.
