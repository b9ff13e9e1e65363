"""The house's arrows point one way, and the optional packages stay optional."""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from helpers import ROOT

from leaf_sklearn import MelTransformer
from leaf_sklearn.cli._feature_files import write_features
from leaf_sklearn.display import FilterbankDisplay
from leaf_sklearn.encoders import make_encoder

PACKAGE = ROOT / "leaf_sklearn"

# A part may import from the layers before its own and, outside dsp, frontends and encoders, from its own. A private
# module that is not named here belongs to the layer of _training.
LAYERS = [
    {"dsp"},
    {"frontends", "encoders"},
    {"_training"},
    {"_base", "_classifier", "_leaf", "_mel", "datasets"},
    {"compare", "corpus", "display"},
    {"cli"},
]
TENSOR_LAYERS = LAYERS[0] | LAYERS[1]
EXTRAS = ["matplotlib", "pooch", "rich", "soxr", "monai", "safetensors", "skops", "pyarrow", "dask", "distributed"]


def imports_of(path):
    """Full names of what a file imports, also inside functions: leaf_sklearn.dsp.mel, torch.nn."""
    parents = ("leaf_sklearn", *path.relative_to(PACKAGE).parts[:-1])
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(parents[: len(parents) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [start, node.module]))
            names |= {f"{module}.{alias.name}" if module == "leaf_sklearn" else module for alias in node.names}
            names |= {f"{module}.{alias.name}" for alias in node.names if is_module(f"{module}.{alias.name}")}
    return names


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def part_of(name):
    """leaf_sklearn.dsp.mel -> dsp, None outside the package."""
    root, _, rest = name.partition(".")
    return rest.split(".")[0] if root == "leaf_sklearn" and rest else None


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]
HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}


def height_of(part):
    assert part in HEIGHT or part.startswith("_"), f"give {part} a place in LAYERS"
    return HEIGHT.get(part, HEIGHT["_training"])


def name_of(path):
    return ".".join(("leaf_sklearn", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_arrows_point_down(path):
    own = part_of(name_of(path))
    used = {part for name in imports_of(path) if (part := part_of(name)) and is_module(f"leaf_sklearn.{part}")}
    assert {part for part in used if height_of(part) > height_of(own)} == set()
    if own in TENSOR_LAYERS:
        assert {part for part in used if height_of(part) == height_of(own)} <= {own}


@pytest.mark.parametrize("path", [path for path in FILES if part_of(name_of(path)) in TENSOR_LAYERS], ids=name_of)
def test_tensor_layers_know_no_scikit_learn(path):
    roots = {name.partition(".")[0] for name in imports_of(path)}
    assert roots.isdisjoint({"sklearn", "joblib", "soundfile", "pandas", "polars"})


def test_arrays_become_tensors_where_clips_meet_networks():
    """Only these turn NumPy arrays into tensors without a copy; frontends, tools and tables never do."""
    using = {name_of(path) for path in FILES if "from_numpy(" in path.read_text()}
    allowed = ("_base", "_classifier", "_training.network", "_training.loop", "_training.energies")
    assert using <= {f"leaf_sklearn.{name}" for name in allowed}


@pytest.mark.parametrize("path", [path for path in FILES if height_of(part_of(name_of(path))) > 3], ids=name_of)
def test_tools_know_no_torch(path):
    """What stands above the estimators speaks scikit-learn."""
    assert "torch" not in {name.partition(".")[0] for name in imports_of(path)}


def test_no_import_runs_in_circles():
    graph = {name_of(path): {name for name in imports_of(path) if is_module(name)} for path in FILES}
    list(graphlib.TopologicalSorter({name: used - {name} for name, used in graph.items()}).static_order())


def run_without(modules, code):
    """Run code in a Python that cannot import these modules."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({modules}))\n"
    return subprocess.run([sys.executable, "-W", "error", "-c", hide + code], capture_output=True, text=True)


def test_imports_without_extras():
    modules = [name_of(path) for path in FILES if path.stem != "__main__"]
    done = run_without(EXTRAS, "import importlib\n" + f"for name in {modules}: importlib.import_module(name)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "extra", "use"),
    [
        ("monai", "encoders", lambda path: make_encoder("efficientnet_b0", n_filters=40)),
        ("matplotlib", "plot", lambda path: FilterbankDisplay.from_estimator(MelTransformer().fit(np.zeros((1, 800))))),
        ("pyarrow", "parquet", lambda path: write_features(path / "x.parquet", ["a.wav"], ["mean"], np.zeros((1, 1)))),
    ],
)
def test_a_missing_extra_is_named(module, extra, use, monkeypatch, tmp_path):
    for name in [module, *(name for name in sys.modules if name.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=re.escape(f"pip install 'leaf-sklearn[{extra}]'")):
        use(tmp_path)


def test_every_import_is_declared():
    """What the package imports is in the standard library, a dependency or an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    user_extras = {"plot", "progress", "resample", "encoders", "persist", "parquet", "datasets", "dask"}
    extras = [name for key in user_extras for name in project["optional-dependencies"][key]]
    declared = {name.split(">")[0] for name in [*project["dependencies"], *extras]}
    known = declared - {"scikit-learn"} | {"sklearn", "leaf_sklearn"}
    imported = {name.partition(".")[0] for path in FILES for name in imports_of(path)}
    assert imported - known - set(sys.stdlib_module_names) == set()
