"""Test accuracy by the clips a class to learn from: python benchmarks/training_size.py TABLE_OR_FOLDER"""

import argparse
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.datasets import load_audio_files

CLASSIFIERS = (LogisticRegression(max_iter=5000), SVC(C=10))


def accuracy(train, y, test, y_test):
    """Percent right, the mean of both classifiers."""
    fitted = [make_pipeline(StandardScaler(), classifier).fit(train, y) for classifier in CLASSIFIERS]
    return 100 * float(np.mean([pipeline.score(test, y_test) for pipeline in fitted]))


def draw(target, is_train, n_a_class, seed):
    """Positions of so many training clips of every class."""
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.permutation(np.flatnonzero(is_train & (target == label)))[:n_a_class]
            for label in range(int(target.max()) + 1)
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--max-steps", type=int, default=160)
    arguments = parser.parse_args()
    data = load_audio_files(arguments.path)
    is_test = data.split == "test"
    X_test, y_test = data.filenames[is_test], data.target[is_test]
    steps = {"random_state": 0, "max_steps": arguments.max_steps}
    frontends = {
        "mel": lambda: MelTransformer(),
        "leaf, fit without y": lambda: LeafTransformer(**steps),
        "leaf": lambda: LeafTransformer(**steps),
        "leaf, recipe paper": lambda: LeafTransformer(recipe="paper", **steps),
    }
    sys.stdout.write(f"{'clips a class':>13s}  " + "  ".join(f"{name:>19s}" for name in frontends) + "\n")
    for size in arguments.sizes:
        found = {name: [] for name in frontends}
        for seed in range(arguments.seeds):
            chosen = draw(data.target, ~is_test, size, seed)
            X, y = data.filenames[chosen], data.target[chosen]
            for name, make in frontends.items():
                transformer = make()
                if name in ("mel", "leaf, fit without y"):
                    transformer.fit(X)
                else:
                    transformer.fit(X, y, groups=None if data.groups is None else data.groups[chosen])
                features = transformer.transform(X)
                found[name].append(accuracy(features, y, transformer.transform(X_test), y_test))
        cells = [f"{np.mean(values):5.1f} ± {np.std(values, ddof=1):4.1f}" for values in found.values()]
        sys.stdout.write(f"{size:13d}  " + "  ".join(f"{cell:>19s}" for cell in cells) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
