"""Settings every test shares: no screen for matplotlib, and GPU tests only where there is one."""

import os

import pytest
import torch

os.environ.setdefault("MPLBACKEND", "Agg")
# tensors in tests are small, and equal numbers are promised at an equal number of threads
torch.set_num_threads(1)

collect_ignore = ["golden", "models"]  # reference numbers, stored models and the scripts around them


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="torch.cuda.is_available() is False: no CUDA device here")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
