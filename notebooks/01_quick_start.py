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
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.datasets import make_audio_classification
from leaf_sklearn.display import FeaturesDisplay, FilterbankDisplay, TrainingDisplay

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
#
# The whole pipeline, as scikit-learn shows it; click on a step to see its parameters:

# %%
models["leaf"]

# %% [markdown]
# ## What the training did
#
# `history_` says how the start of the compression was picked, then one line for every evaluation.

# %%
print(models["leaf"][0].history_)

# %%
TrainingDisplay.from_estimator(models["leaf"]);

# %% [markdown]
# ## What the filters learned
#
# Every filter has a centre frequency and a bandwidth in Hz, known before and after the training. Notebook 03 looks at
# them one by one.

# %%
FilterbankDisplay.from_estimator(models["leaf"], kind="centers")
FilterbankDisplay.from_estimator(models["leaf"], kind="drift");

# %% [markdown]
# ## What the classifier sees
#
# A clip through the fixed filters and through the trained ones:

# %%
FeaturesDisplay.from_estimator(models["leaf"], X_test[0]);
