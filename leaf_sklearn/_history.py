"""The history of a training: a list of entries that prints as a table."""

import html
from collections.abc import Mapping
from numbers import Real
from typing import Any

FIRST = ("step", "loss", "score")


class History(list[dict[str, Any]]):
    """Entries of a training as a list of dicts; ``print`` and notebooks show them as a table.

    Examples
    --------
    >>> from leaf_sklearn._history import History
    >>> History([{"step": 0, "start": "fixed"}, {"step": 8, "loss": 1.5, "score": None, "learning_rate": 0.04}])
    start: fixed
    step  loss  score  learning_rate
       8   1.5      -           0.04
    """

    def __repr__(self) -> str:
        names = self._columns()
        cells = [[_cell(entry.get(name)) for name in names] for entry in self._rounds()]
        widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names)]
        rows = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [names, *cells]
        ]
        return "\n".join([*self._told(), *(rows if cells else [])])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        names = self._columns()
        told = "".join(f"<p>{html.escape(line)}</p>" for line in self._told())
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        rows = "".join(
            f"<tr>{''.join(f'<td>{_cell(entry.get(name))}</td>' for name in names)}</tr>" for entry in self._rounds()
        )
        return f"{told}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else told

    def _rounds(self) -> list[dict[str, Any]]:
        """Entries of evaluations."""
        return [entry for entry in self if "loss" in entry]

    def _columns(self) -> list[str]:
        """Names of what is one number an evaluation, the usual ones first."""
        seen = dict.fromkeys(
            name for entry in self._rounds() for name, value in entry.items() if _is_number(value) or value is None
        )
        return [*(name for name in FIRST if name in seen), *(name for name in seen if name not in FIRST)]

    def _told(self) -> list[str]:
        """Everything of the other entries, a line a fact."""
        facts = [
            (name, value) for entry in self if "loss" not in entry for name, value in entry.items() if name != "step"
        ]
        return [f"{name.replace('_', ' ')}: {_say(value)}" for name, value in facts]


def _say(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_say(each)}" for name, each in value.items())
    return f"{value:.4g}" if _is_number(value) else str(value)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if _is_number(value) else "-"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
