"""nn.Module <-> NumPy arrays, so that fitted estimators pickle, hash and travel without torch objects."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Arrays = dict[str, NDArray[np.generic]]


def module_to_arrays(module: nn.Module) -> Arrays:
    """Parameters and buffers of a module as NumPy arrays on the CPU."""
    return {name: np.array(value.detach().cpu().numpy()) for name, value in module.state_dict().items()}


def arrays_to_module(module: nn.Module, arrays: Arrays) -> nn.Module:
    """Load arrays from ``module_to_arrays`` into a module of the same structure; returns it in eval mode."""
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
    return module.requires_grad_(False).eval()
