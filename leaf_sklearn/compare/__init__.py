"""Frontends x classifiers x tasks x seeds -> a table that grows as results arrive."""

from ._compare import Comparison, compare

__all__ = ["Comparison", "compare"]
