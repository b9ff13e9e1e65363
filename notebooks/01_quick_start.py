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
# # Quick start: mel against LEAF
#
# A mel spectrogram looks at every sound through the same filters. `LeafTransformer` starts from those filters and
# trains them, together with pooling and compression, on the labels at hand. Both give one feature vector a clip, so
# both fit into the same scikit-learn pipeline. Here they are compared on synthetic sounds; nothing is downloaded.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.datasets import make_audio_classification

# %% [markdown]
# ## Sounds
#
# Clips of a quarter of a second and of eight classes: harmonic tones, amplitude- and frequency-modulated tones and
# bands of noise, two classes of each, in background noise. For recordings of your own, `load_audio_files("folder")`
# gives the file names and labels that go in the same place as `X` and `y`.

# %%
X, y = make_audio_classification(n_clips=320, n_classes=8, duration_s=0.25, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
X_train.shape, X_test.shape

# %% [markdown]
# ## Two pipelines
#
# They differ in the first step only. The score is the share of test clips that are put into the right class.

# %%
frontends = {
    "mel": MelTransformer(),
    "leaf": LeafTransformer(max_steps=64, random_state=0),
}
models, accuracy = {}, {}
for name, frontend in frontends.items():
    models[name] = make_pipeline(frontend, StandardScaler(), LogisticRegression(max_iter=1000))
    models[name].fit(X_train, y_train)
    accuracy[name] = round(float(models[name].score(X_test, y_test)), 3)
accuracy

# %% [markdown]
# One split of one synthetic set says little about your recordings. `leaf-sklearn compare` repeats this over seeds,
# folds and classifiers and prints the spread.

# %% [markdown]
# ## What the training did
#
# `history_` starts with the start that was picked for the compression, followed by an entry for every evaluation.

# %%
leaf = models["leaf"][0]
leaf.history_[0]

# %%
steps = [entry for entry in leaf.history_ if "loss" in entry]
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot([entry["step"] for entry in steps], [entry["loss"] for entry in steps], color="#0072B2")
axis.set(xlabel="Step", ylabel="Training loss", title="Training of the frontend")
plt.show()

# %% [markdown]
# ## What the filters learned
#
# Every filter has a centre frequency and a bandwidth in Hz, known before and after the training.

# %%
before, after = leaf.initial_center_frequencies_, leaf.center_frequencies_
figure, (centres, drift) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
centres.plot(before, color="#999999", label="mel start")
centres.plot(after, ".", color="#D55E00", label="learned")
centres.set(xlabel="Filter", ylabel="Centre frequency (Hz)", title="Where the filters are")
centres.legend()
drift.axhline(0, color="#999999")
drift.plot(before, after - before, ".", color="#D55E00")
drift.set(xlabel="Centre frequency at the start (Hz)", ylabel="Moved by (Hz)", title="How far they moved")
plt.show()

# %%
largest = np.argsort(-np.abs(after - before))[:5]
{int(place): f"{before[place]:.0f} Hz -> {after[place]:.0f} Hz" for place in largest}
