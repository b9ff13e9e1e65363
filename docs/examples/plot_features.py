"""
One clip, mel and learned
=========================

``FeaturesDisplay`` puts the features of a clip beside those of a mel filterbank with the same settings.
"""

# %%
# A sweep from 200 to 6000 Hz, in a little noise, is easy to recognise in both pictures.
import numpy as np
from scipy.signal import chirp

from leaf_sklearn import LeafTransformer
from leaf_sklearn.datasets import make_audio_classification
from leaf_sklearn.display import FeaturesDisplay

time = np.arange(16000) / 16000
noise = np.random.default_rng(0).standard_normal(16000)
clip = 0.1 * chirp(time, f0=200, t1=1.0, f1=6000, method="logarithmic") + 0.002 * noise

# %%
# The frontend has seen some synthetic sounds; the sweep is new to it.
X, y = make_audio_classification(n_clips=120, duration_s=0.25, random_state=0)
leaf = LeafTransformer(max_steps=32, compression_search=False, random_state=0).fit(X, y)
FeaturesDisplay.from_estimator(leaf, clip)

# %%
# ``reference`` may be any other fitted estimator: here the same frontend before training.
start = LeafTransformer().fit(X)
FeaturesDisplay.from_estimator(leaf, clip, reference=start)
