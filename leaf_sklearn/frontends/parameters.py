"""Values of modules: read as NumPy arrays, written from the reference's or behind a constraint."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

Array = NDArray[Any]


def assign(module: nn.Module, name: str, value: Tensor | Array | float) -> None:
    """Overwrite a parameter or buffer in place, through its parametrisation where it has one."""
    with torch.no_grad():
        current = getattr(module, name)
        given = value if isinstance(value, Tensor) else torch.tensor(np.array(value))
        new = given.to(dtype=current.dtype, device=current.device).expand(current.shape)
        if is_parametrized(module, name):
            setattr(module, name, new.clone())
        else:
            current.copy_(new)


def as_floats(values: Tensor) -> NDArray[np.float64]:
    """Numbers of a tensor, wherever it is."""
    return values.detach().cpu().double().numpy()


class ReferenceArrays:
    """Parameters of the reference implementation by name; each is taken once.

    Parameters
    ----------
    params : mapping of str to ndarray
        By the reference's names.
    """

    def __init__(self, params: Mapping[str, Array]) -> None:
        self._left = dict(params)

    def take(self, key: str) -> Array:
        """Hand out one array; ValueError where there is none of that name."""
        if key not in self._left:
            raise ValueError(f"The parameters lack {key!r}; they still hold {sorted(self._left)}.")
        return np.asarray(self._left.pop(key))

    def first(self) -> str:
        """Name of the first array that is left, in alphabetical order; ValueError where none is."""
        if not self._left:
            raise ValueError("The parameters are fewer than this frontend has.")
        return min(self._left)

    def fill(self, module: nn.Module, name: str, key: str, layout: Callable[[Array], Array] | None = None) -> None:
        """Write an array into a module's parameter or buffer; ValueError where the shapes differ."""
        value = self.take(key)
        value = value if layout is None else layout(value)
        shape = tuple(getattr(module, name).shape)
        if value.shape != shape:
            raise ValueError(f"Got {key} laid out as {value.shape}, expected {shape}.")
        assign(module, name, value)

    def finish(self) -> None:
        """ValueError where arrays are left over."""
        if self._left:
            raise ValueError(f"This frontend has no place for the parameters {sorted(self._left)}.")
