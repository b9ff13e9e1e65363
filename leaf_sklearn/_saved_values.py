"""Settings and fitted values <-> JSON, exactly: plain values as themselves, the rest as {"$kind": ...}."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = "biuf"


def to_json(value: Any, where: str, other: Callable[[Any, str], Any]) -> Any:
    """Turn a value into what JSON holds; ``other(value, where)`` gets what is unknown here, and what it is called."""
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list | tuple):
        items = [to_json(item, f"{where}[{place}]", other) for place, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, dict):
        pairs = [[to_json(key, where, other), to_json(item, f"{where}[{key!r}]", other)] for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(pairs)
        return {"$dict": pairs}
    if isinstance(value, np.generic) and value.dtype.kind in NUMBERS + "U":
        return {"$scalar": to_json(value.item(), where, other), "dtype": value.dtype.newbyteorder("=").str}
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS + "UO":
        dtype = "O" if value.dtype.kind == "O" else value.dtype.newbyteorder("=").str
        return {"$array": to_json(value.ravel().tolist(), where, other), "dtype": dtype, "shape": list(value.shape)}
    if isinstance(value, np.random.RandomState):
        return {"$random_state": to_json(value.get_state(legacy=False), where, other)}
    return other(value, where)


def from_json(value: Any, other: Callable[[str, Any], Any]) -> Any:
    """Undo ``to_json``; ``other(kind, value)`` gets kinds unknown here. Raises KeyError, TypeError or ValueError."""
    if isinstance(value, list):
        return [from_json(item, other) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next((key for key in value if key.startswith("$")), None)
    if kind is None:
        return {key: from_json(item, other) for key, item in value.items()}
    if kind == "$float":
        return float(value[kind])
    if kind == "$tuple":
        return tuple(from_json(value[kind], other))
    if kind == "$dict":
        return {from_json(key, other): from_json(item, other) for key, item in value[kind]}
    if kind == "$scalar":
        return _dtype(value["dtype"]).type(from_json(value[kind], other))
    if kind == "$array":
        return _array(from_json(value[kind], other), value["dtype"], value["shape"])
    if kind == "$random_state":
        state = np.random.RandomState()
        state.set_state(from_json(value[kind], other))
        return state
    return other(kind, value)


def _array(items: list[Any], dtype: str, shape: list[int]) -> NDArray[Any]:
    array = np.empty(len(items), dtype=_dtype(dtype))
    # item by item: lists among objects must not become rows
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(shape)


def _dtype(name: str) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.kind not in NUMBERS + "UO":
        raise ValueError(f"Got dtype {name!r}, expected numbers, strings or objects.")
    return dtype
