"""A comparison as one HTML page that needs nothing beside it: tables, charts, settings, versions, data."""

import base64
import html
import io
import json
import platform
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import __version__
from ..display import ComparisonDisplay
from ..display._figures import new_figure
from ._metrics import METRICS
from ._paired import paired_differences
from ._results import OWN, Row

BASELINE = ("mel", "functionals")
PACKAGES = ("scikit-learn", "torch", "numpy", "scipy", "joblib", "soundfile")
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 72rem; margin: auto; padding: 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; } img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .25rem .75rem; text-align: left; border-bottom: 1px solid #ccc; white-space: nowrap; }
td.number, th.number { text-align: right; } code { overflow-wrap: anywhere; }
"""


def to_html(tables: str, lines: Sequence[Any], rows: Sequence[Row]) -> str:
    """Write the report of all rows, with the summary as tables in Markdown and as lines for the chart."""
    parts = [
        "<h1>Comparison of audio frontends</h1>",
        f"<p>Tasks: {_count(rows, 'task')}, frontends: {_count(rows, 'frontend')}, classifiers: "
        f"{_count(rows, 'classifier')}, results: {len(rows)}, each scored on clips that were not fitted on.</p>",
        _chart(lines),
        markdown_to_html(tables),
        _differences(rows),
        "<h2>Data</h2>",
        "<p>The hash changes with the clips, the labels, the groups and the splits.</p>",
        _table(["task", "hash", "training clips", "test clips", "folds"], _data(rows)),
        "<h2>Settings</h2>",
        _table(["setting", *dict.fromkeys(row.frontend for row in rows)], _settings(rows)),
        "<h2>Versions</h2>",
        _table(["package", "version"], _versions()),
        "<h2>Every result</h2>",
        f"<details><summary>{len(rows)} rows</summary>{_all_results(rows)}</details>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>Comparison of audio frontends</title><style>{STYLE}</style></head>\n"
        f"<body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def markdown_to_html(text: str) -> str:
    """Turn the Markdown of our own tables into HTML: pipe tables, headings and paragraphs."""
    parts = []
    for block in re.split(r"\n{2,}", text.strip()):
        first, *others = block.splitlines()
        if first.startswith("|"):
            cells = [_cells(line) for line in (first, *others[1:])]
            right = [mark.endswith(":") for mark in _cells(others[0])]
            parts.append(_table(cells[0], cells[1:], right))
        elif found := re.match(r"(#+) (.*)", first):
            parts.append(f"<h2>{html.escape(found[2])}</h2>")
        else:
            parts.append(f"<p>{html.escape(block)}</p>")
    return "\n".join(parts)


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [cell.strip().replace("\\|", "|") for cell in cells]


def _table(head: Sequence[Any], body: Iterable[Sequence[Any]], right: Sequence[bool] | None = None) -> str:
    def row(cells: Sequence[Any], tag: str) -> str:
        marks = [' class="number"' if right and right[place] else "" for place in range(len(cells))]
        filled = zip(marks, cells, strict=True)
        return "<tr>" + "".join(f"<{tag}{mark}>{html.escape(str(cell))}</{tag}>" for mark, cell in filled) + "</tr>"

    rows = "\n".join(row(cells, "td") for cells in body)
    return f'<div class="wide"><table><thead>{row(head, "th")}</thead>\n<tbody>{rows}</tbody></table></div>'


def _chart(lines: Sequence[Any]) -> str:
    """Draw the bars as a picture inside the page; a sentence stands there where matplotlib is missing."""
    display = ComparisonDisplay(lines)
    try:
        figure = new_figure(display.figure_size())
    except ImportError as error:
        return f"<p>The chart is left out. {html.escape(str(error))}</p>"
    display.plot(ax=figure.add_subplot())
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    told = "; ".join(
        f"{line.task}, {line.frontend}, {line.classifier}: {line.means[line.metric]:.3f}" for line in lines
    )
    code = base64.b64encode(stream.getvalue()).decode()
    return f'<div class="wide"><img alt="{html.escape(told)}" src="data:image/png;base64,{code}"></div>'


def _differences(rows: Sequence[Row]) -> str:
    """Compare each frontend with mel, or the first one, clip by clip; nothing where there is one frontend."""
    usable = [row for row in rows if row.accuracy is not None and row.outcomes]
    sides = list(dict.fromkeys((row.frontend, row.output) for row in usable))
    base = BASELINE if BASELINE in sides else next(iter(sides), BASELINE)
    body = []
    for classifier in dict.fromkeys(row.classifier for row in usable):
        for side in sides:
            for each in paired_differences(usable, side, base, classifier=classifier) if side != base else ():
                interval = f"{100 * each.low:+.1f} to {100 * each.high:+.1f}"
                body.append([each.task, _named(side), classifier, f"{100 * each.difference:+.1f}", interval])
    if not body:
        return ""
    head = ["task", "frontend", "classifier", "points of accuracy", "95 % interval"]
    return (
        f"<h2>Against {html.escape(_named(base))}</h2>\n<p>Difference on the same test clips, with the interval of a "
        "bootstrap over clips and seeds. An interval that holds 0 decides nothing.</p>"
        + _table(head, body, [False, False, False, True, True])
    )


def _named(side: tuple[str, str]) -> str:
    return side[0] if side[1] == "functionals" else f"{side[0]} ({side[1]})"


def _count(rows: Sequence[Row], name: str) -> int:
    return len({getattr(row, name) for row in rows})


def _data(rows: Sequence[Row]) -> list[list[Any]]:
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row.task, []).append(row)
    return [
        [
            task,
            found[0].data,
            _range(row.n_train for row in found),
            _range(row.n_test for row in found),
            len({row.fold for row in found}),
        ]
        for task, found in tasks.items()
    ]


def _range(values: Iterable[int]) -> str:
    found = sorted(set(values))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _settings(rows: Sequence[Row]) -> list[list[Any]]:
    """List a line a setting and a column a frontend; what is not given is the default."""
    by_frontend = {row.frontend: json.loads(row.settings) for row in rows}
    names = sorted({name for settings in by_frontend.values() for name in settings})
    seeds = sorted({row.seed for row in rows})
    body = [
        [name, *(settings.get(name, "default") for settings in by_frontend.values())] for name in names if name != OWN
    ]
    if any(OWN in settings for settings in by_frontend.values()):
        body.append([OWN, *(settings.get(OWN, "by name") for settings in by_frontend.values())])
    return [*body, ["seeds", *[", ".join(map(str, seeds))] * len(by_frontend)]]


def _versions() -> list[tuple[str, str]]:
    found = [("leaf-sklearn", __version__), ("Python", platform.python_version()), ("platform", platform.platform())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            found.append((name, "not found by its name"))
    return found


def _all_results(rows: Sequence[Row]) -> str:
    names = [
        "task",
        "frontend",
        "output",
        "classifier",
        "seed",
        "fold",
        "n_features",
        "fit_seconds",
        "transform_seconds",
    ]
    scores = [name for name in METRICS if any(getattr(row, name) is not None for row in rows)]
    body = [[_short(getattr(row, name)) for name in (*names, *scores)] for row in sorted(rows, key=lambda row: row.key)]
    right = [False] * 4 + [True] * (len(names) + len(scores) - 4)
    return _table([*names, *scores], body, right)


def _short(value: Any) -> Any:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value
