"""What several test modules share: where the reference data stands, and how to read it."""

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
GOLDEN = SHARED / "golden"
TASKS = SHARED / "tasks"

needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no reference numbers in {GOLDEN}")
needs_tasks = pytest.mark.skipif(not TASKS.is_dir(), reason=f"no recordings in {TASKS}")


def load_golden(case):
    """One golden case: (config, arrays, inputs), arrays keyed as in the file."""
    with np.load(GOLDEN / f"{case}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files if key != "config"}
    config = json.loads((GOLDEN / f"{case}.json").read_text())
    inputs = {}
    if "inputs" in config:
        with np.load(GOLDEN / config["inputs"]) as stored:
            inputs = {key: stored[key] for key in stored.files}
    return config, arrays, inputs


def public_modules():
    """Names of the package's modules that list public names: leaf_sklearn.datasets is "datasets"."""
    found = sorted((ROOT / "leaf_sklearn").glob("[!_]*"))
    sources = {path.stem: path / "__init__.py" if path.is_dir() else path for path in found}
    listing = [
        name for name, source in sources.items() if source.suffix == ".py" and "__all__ = [" in source.read_text()
    ]
    return [name for name in listing if name != "cli"]  # a command, not an interface
