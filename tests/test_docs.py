"""The documentation: every Python block runs, and the API page names every public name."""

import functools
import json
import re
import shlex
from unittest.mock import patch

import distributed
import jupytext
import numpy as np
import pytest
import soundfile
from helpers import ROOT, public_modules

import leaf_sklearn
from leaf_sklearn._functionals import FUNCTIONALS
from leaf_sklearn.cli import _main as cli
from leaf_sklearn.frontends import PRESETS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOCAL = functools.partial(
    distributed.Client, processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None
)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks_of(page):
    """(first line, source) of every Python block of a Markdown page."""
    text = page.read_text()
    return [(text.count("\n", 0, found.start(1)) + 1, found[1]) for found in PYTHON.finditer(text)]


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A working directory with recordings/<class>/*.wav: two kinds of birds that differ in pitch."""
    rng = np.random.default_rng(0)
    time = np.arange(4000) / 16000
    for name, pitch in [("chiffchaff", 4000.0), ("cuckoo", 600.0)]:
        folder = tmp_path / "recordings" / name
        folder.mkdir(parents=True)
        for number in range(8):
            tone = np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * time)
            soundfile.write(folder / f"{number:02d}.wav", 0.1 * (tone + rng.standard_normal(4000)), 16000)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.stem)
def test_blocks_run(page, recordings, monkeypatch):
    """A page's blocks share one namespace, as a reader who follows it has; training is cut short."""
    defaults = leaf_sklearn.LeafTransformer.__init__.__kwdefaults__
    for name, value in {"max_steps": 2, "batch_size": 4, "compression_search": False}.items():
        monkeypatch.setitem(defaults, name, value)
    monkeypatch.setattr(distributed, "Client", lambda scheduler: LOCAL())  # no scheduler at the page's address
    namespace = {"__name__": "page"}
    with patch.dict(PRESETS):
        for line, source in blocks_of(page):
            # blank lines in front make a traceback's line numbers those of the page
            exec(compile("\n" * (line - 1) + source, page, "exec"), namespace)


def test_pages_have_blocks():
    assert sum(len(blocks_of(page)) for page in PAGES) >= 20


def test_no_fence_escapes():
    """Python under another name would not run."""
    found = {
        language for page in PAGES for language in re.findall(r"^ *(?:```|~~~)(\S+)", page.read_text(), re.MULTILINE)
    }
    assert found == {"console", "python", "{toctree}"}


@pytest.mark.parametrize("module", ["", *public_modules()])
def test_api_names_everything(module):
    full_name = f"leaf_sklearn.{module}".rstrip(".")
    public = __import__(full_name, fromlist=["__all__"]).__all__
    listed = re.findall(r"[\w.]+", (ROOT / "docs" / "api.rst").read_text())
    prefix = f"{module}." if module else ""
    assert [name for name in public if name != "__version__" and prefix + name not in listed] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.stem)
def test_named_files_exist(page):
    """Relative links lead to files, and so do paths in the text."""
    text = page.read_text()
    links = [page.parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text)]
    paths = [ROOT / target for target in re.findall(r"`((?:leaf_sklearn|tests|docs|benchmarks)/[\w/]+\.\w+)`", text)]
    assert [path for path in links + paths if not path.exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/user_guide/frontends.md"])
def test_frontends_are_listed(page):
    """The table of frontends holds every preset and no other."""
    rows = re.findall(r'^\| `"([^"]+)"` \|', (ROOT / page).read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(PRESETS)


def test_functionals_are_listed():
    page = (ROOT / "docs" / "user_guide" / "outputs.md").read_text()
    table = page[page.index("| name |") : page.index("A feature's name")]
    assert sorted(set(re.findall(r"`(\w+)`", table))) == sorted(FUNCTIONALS)


def test_commands_are_understood():
    """The command's parser takes every shell line of the pages."""
    lines = [line for page in PAGES for line in re.findall(r"^\$ leaf-sklearn (.*)$", page.read_text(), re.MULTILINE)]
    assert lines
    for line in lines:
        assert cli._parser().parse_args(shlex.split(line)).command == line.split()[0]


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_notebook_was_run(source):
    """The stored notebook holds the cells of its source, every one of them run in order."""
    stored = json.loads(source.with_suffix(".ipynb").read_text())["cells"]
    cells = jupytext.read(source)["cells"]
    assert ["".join(cell["source"]) for cell in stored] == [cell["source"] for cell in cells]
    counts = [cell["execution_count"] for cell in stored if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
