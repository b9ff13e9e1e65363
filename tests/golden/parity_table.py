"""The table of docs/parity.md: written by a test run where LEAF_SKLEARN_WRITE_PARITY is set, read by a test."""

import os

from helpers import ROOT

PAGE = ROOT / "docs" / "parity.md"
HEADER = "| case | outputs | worst at | allowed | gradients | worst at | allowed |"
WANTED = "LEAF_SKLEARN_WRITE_PARITY"


def worst(deviations):
    """Of {name: (deviation, tolerance)} the one closest to its tolerance, as (deviation, name, tolerance)."""
    name = max(deviations, key=lambda key: deviations[key][0] / deviations[key][1])
    return (deviations[name][0], name, deviations[name][1])


def _cells(entry):
    return "| | |" if entry is None else f"{entry[0]:.1e} | {entry[1]} | {entry[2]:.0e} |"


def write(rows, cases):
    """Replace the page's table by rows {case: {"outputs": worst, "gradients": worst}}, if asked for and complete."""
    if os.environ.get(WANTED) and set(cases) <= set(rows):
        lines = [
            f"| {case} | {_cells(rows[case].get('outputs'))} {_cells(rows[case].get('gradients'))}" for case in cases
        ]
        before = PAGE.read_text().split(HEADER)[0]
        PAGE.write_text("\n".join([before + HEADER, "| --- " * 7 + "|", *lines]) + "\n")


def listed():
    """Cases of the page's table."""
    rows = PAGE.read_text().split(HEADER)[1].strip().splitlines()[1:]
    return [row.split("|")[1].strip() for row in rows]
