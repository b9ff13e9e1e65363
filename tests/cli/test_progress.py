"""What a comparison shows while it runs."""

import io
import sys

import pytest

from leaf_sklearn.cli._progress import progress_display
from leaf_sklearn.compare._results import Row

ROW = Row("birds", "leaf", "svc", 1, 2, 60, 20, 12, 3.5, 0.5, "abc", "{}", accuracy=0.875, balanced_accuracy=0.75)
TAGS = Row(
    "tags", "mel", "svc", 0, 0, 60, 20, 12, 0.0, 0.5, "abc", "{}", mean_average_precision=0.5, auc=0.7, d_prime=1.0
)
LINES = """\
1 of 3 results were there already
2/3 birds leaf svc seed 1 fold 2: accuracy 0.875 (fit 3.5 s)
3/3 tags mel svc seed 0: mAP 0.500 (fit 0.0 s)
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown_on(stream):
    with progress_display(stream) as progress:
        progress(1, 3, None)
        progress(2, 3, ROW)
        progress(3, 3, TAGS)
    return stream.getvalue()


def test_lines():
    assert shown_on(io.StringIO()) == LINES


def test_lines_on_a_terminal_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert shown_on(Terminal()) == LINES


def test_bar_on_a_terminal(monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    shown = shown_on(Terminal())
    assert "3/3" in shown
    assert "tags mel svc seed 0: mAP 0.500 (fit 0.0 s)" in shown
    assert "\x1b[" in shown


def test_first_run_says_nothing_before_its_rows():
    stream = io.StringIO()
    with progress_display(stream) as progress:
        progress(0, 3, None)
    assert stream.getvalue() == ""
