"""Frontends: waveforms (B, N) to features (B, F, T), as torch modules."""

from .base import Frontend
from .compression import PCEN
from .make import make_frontend
from .presets import PRESETS

__all__ = ["PCEN", "PRESETS", "Frontend", "make_frontend"]
