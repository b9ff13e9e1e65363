"""Tiny clips at a low rate, with which a fit takes less than a second, and how to stop one."""

import numpy as np

from leaf_sklearn import LeafTransformer

RATE = 4000


def make_clips(n_clips=24, n_times=800, seed=0):
    """Tones of two pitches in noise, labels 0 and 1."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_clips) % 2
    time = np.arange(n_times) / RATE
    tones = np.sin(2 * np.pi * (400 + 500 * y[:, None]) * time + rng.uniform(0, 6, (n_clips, 1)))
    return (0.3 * tones + 0.1 * rng.standard_normal((n_clips, n_times))).astype(np.float32), y


def small(**settings):
    defaults = {"sample_rate": RATE, "n_filters": 6, "max_steps": 4, "batch_size": 8, "random_state": 0}
    return LeafTransformer(**{**defaults, "compression_search": False, **settings})


class StopAfter:
    """Callback that stops after some rounds, and counts what it saw."""

    def __init__(self, n_rounds):
        self.n_rounds, self.begun, self.ended = n_rounds, 0, 0

    def setup(self, estimator, context):
        self.torn_down = False

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.begun += context.parent is not None

    def on_fit_task_end(self, estimator, context):
        self.ended += context.parent is not None
        return self.ended >= self.n_rounds
