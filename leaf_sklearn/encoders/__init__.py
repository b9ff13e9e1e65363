"""Encoders: nn.Modules from a frontend's features (B, F, T) to one vector a clip (B, E)."""

from ._cnn import CNN
from ._layers import BatchNorm, Dropout, mask_frames
from ._make import ENCODERS, Encoder, make_encoder

__all__ = ["CNN", "ENCODERS", "BatchNorm", "Dropout", "Encoder", "make_encoder", "mask_frames"]
