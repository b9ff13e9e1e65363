"""Write the models of format 1 that every later version must load: PYTHONPATH=tests python tests/models/make.py."""

from pathlib import Path

import numpy as np

from leaf_sklearn import LeafClassifier, LeafTransformer, MelTransformer

FOLDER = Path(__file__).parent
RATE = 4000


def clips():
    """Twelve clips of two pitches, from numbers that no random generator's version can change."""
    time = np.arange(800) / RATE
    pitches = 300 + 100 * np.arange(12)
    return [(0.3 * np.sin(2 * np.pi * hz * time) * (1 + np.cos(40 * time))).astype(np.float32) for hz in pitches]


def labels():
    return ["low"] * 6 + ["high"] * 6


def make():
    X, y = clips(), labels()
    tiny = {"sample_rate": RATE, "n_filters": 4, "max_steps": 4, "encoder": "linear", "random_state": 0}
    models = {
        "leaf": LeafTransformer(**tiny),
        "sincnet": LeafTransformer("sincnet+", class_weight={"low": 1.0, "high": 2.0}, **tiny),
        "classifier": LeafClassifier(LeafTransformer(output="embedding", **tiny)),
        "mel": MelTransformer(sample_rate=RATE, n_filters=4),
    }
    outputs = {}
    for name, model in models.items():
        model.fit(X, y).save(FOLDER / f"v1_{name}.safetensors")
        outputs[name] = model.decision_function(X) if name == "classifier" else model.transform(X)
    np.savez_compressed(FOLDER / "v1_outputs.npz", **outputs)


if __name__ == "__main__":
    make()
