"""Encoders: nn.Modules from a frontend's features (B, F, T) to one vector a clip (B, E)."""

from ._cnn import CNN
from ._cnn14 import CNN14, PANN
from ._efficientnet import EfficientNetB0
from ._layers import BatchNorm, Dropout, mask_frames
from ._make import ENCODERS, Encoder, make_encoder

__all__ = [
    "CNN",
    "CNN14",
    "ENCODERS",
    "PANN",
    "BatchNorm",
    "Dropout",
    "EfficientNetB0",
    "Encoder",
    "make_encoder",
    "mask_frames",
]
