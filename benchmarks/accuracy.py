"""Test accuracy of mel and leaf, trained on train + valid: python benchmarks/accuracy.py TABLE_OR_FOLDER ..."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.datasets import load_audio_files


def scores(train, y, test, y_test):
    """Percent right with logistic regression and with an RBF support vector machine."""
    classifiers = (LogisticRegression(max_iter=2000), SVC(C=10))
    fitted = [make_pipeline(StandardScaler(), classifier).fit(train, y) for classifier in classifiers]
    return "  ".join(f"{100 * pipeline.score(test, y_test):5.1f}" for pipeline in fitted)


def compare(path, seed):
    """Print one line a kind of features."""
    data = load_audio_files(path)
    paths, is_test = np.array(data.filenames), np.array(data.split) == "test"
    X, y, X_test, y_test = paths[~is_test], data.target[~is_test], paths[is_test], data.target[is_test]
    groups = None if data.groups is None else np.array(data.groups)[~is_test]

    def line(name, transformer, started):
        result = scores(transformer.transform(X), y, transformer.transform(X_test), y_test)
        sys.stdout.write(f"{Path(path).stem:20s} {name:32s} {result}  {time.perf_counter() - started:6.0f}\n")
        sys.stdout.flush()

    for functionals in (("mean", "std"), ("mean", "std", "delta_std")):
        started = time.perf_counter()
        line("mel " + "+".join(functionals), MelTransformer(functionals=functionals).fit(X), started)
    started = time.perf_counter()
    leaf = LeafTransformer(random_state=seed).fit(X, y, groups=groups)
    line("leaf mean+std+delta_std", leaf, started)
    line("leaf embedding", leaf.set_params(output="embedding"), started)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.stdout.write(f"{'':20s} {'test accuracy, %':32s}    LR    SVC  seconds\n")
    for path in arguments.paths:
        compare(path, arguments.seed)


if __name__ == "__main__":
    main()
