"""Frontends: waveforms (B, N) to features (B, F, T), as torch modules."""

from .base import Frontend
from .captured import CapturedFrontend
from .compression import PCEN
from .make import make_frontend
from .presets import PRESETS
from .reference import PortWeights, read_port_weights

__all__ = ["PCEN", "PRESETS", "CapturedFrontend", "Frontend", "PortWeights", "make_frontend", "read_port_weights"]
