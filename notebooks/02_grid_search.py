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
# # A grid over frontend settings
#
# The frontend, its compression and its number of filters are parameters like any other, so a grid search answers which
# of them suits a task. Where `../../shared/tasks` stands beside the checkout, this notebook takes spoken keywords from
# it; where it does not, synthetic clips.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from leaf_sklearn import LeafTransformer
from leaf_sklearn.datasets import load_audio_files, make_audio_classification
from leaf_sklearn.display import FilterbankDisplay

# %% [markdown]
# ## Clips
#
# Five keywords, and who speaks them. The test clips are of speakers that appear nowhere else; they are used once, at
# the end.

# %%
task = Path("../../shared/tasks/keywords")
if task.is_dir():
    clips = load_audio_files(task)
    words = [clips.target_names.index(word) for word in ("left", "right", "start", "stop", "yes")]
    chosen = np.isin(clips.target, words)
    X, y, groups = clips.filenames[chosen], clips.target[chosen], clips.groups[chosen]
    is_test = clips.split[chosen] == "test"
else:
    X, y = make_audio_classification(n_clips=300, n_classes=8, duration_s=0.5, random_state=0)
    groups = np.arange(len(y))
    is_test = np.arange(len(y)) % 4 == 3
len(X), int(is_test.sum()), len(np.unique(groups[~is_test]))

# %% [markdown]
# ## The grid
#
# Two lists of settings in one search: mel, which has nothing to train, and LEAF with three compressions. Clips of one
# speaker stay in one fold. The frontend is trained anew in every fold on that fold's training clips: no clip that is
# scored has been seen by the filters. Training is kept short here (`max_steps`); the default is 480.

# %%
pipeline = Pipeline(
    [
        ("features", LeafTransformer(max_steps=24, compression_search=False, random_state=0)),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=2000)),
    ]
)
grid = [
    {"features__frontend": ["mel"], "features__n_filters": [20, 40]},
    {"features__frontend": ["leaf"], "features__n_filters": [20], "features__compression": ["log", "root", "pcen"]},
]
folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
search = GridSearchCV(pipeline, grid, cv=folds)
search.fit(X[~is_test], y[~is_test], groups=groups[~is_test])

# %%
table = pd.DataFrame(search.cv_results_)
names = ["param_features__frontend", "param_features__compression", "param_features__n_filters"]
columns = [*names, "mean_test_score", "std_test_score", "mean_fit_time"]
short = table[columns].rename(columns=lambda name: name.replace("param_features__", ""))
short.sort_values("mean_test_score", ascending=False).fillna("").round(3)

# %% [markdown]
# ## The best one, once, on the test clips
#
# The best score of a grid is the best of several noisy numbers, and flatters. Clips that the search did not see tell
# what is left of it.

# %%
{
    "in the search": round(float(search.best_score_), 3),
    "on the test clips": round(float(search.score(X[is_test], y[is_test])), 3),
}

# %% [markdown]
# Displays take the search itself: they find the refitted transformer in it.

# %%
FilterbankDisplay.from_estimator(search, kind="responses");

# %% [markdown]
# To try many classifiers on one frontend, give the pipeline a cache (`memory="cache"`), so that the frontend is trained
# once a fold. For frontends against each other with several seeds, `leaf-sklearn compare` keeps the table, also when it
# is interrupted.
