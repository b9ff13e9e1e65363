"""Weights of other LEAF implementations: what public PyTorch ports save, as the reference's parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from .parameters import Array

KERNEL = "gabor_kernel"
BIAS = "pooling bias"
PADDING = (
    "padding: frames are placed with half a window of zeros on both sides whatever the clip's length; here, as in the "
    "reference, the grid depends on the length"
)


@dataclass(frozen=True)
class _Port:
    """Names that a port gives to its parameters, by the reference's; ``constants`` are not learned."""

    names: dict[str, str]
    pcen: str
    constants: tuple[str, ...] = ()


PORTS = {
    "leaf-pytorch": _Port(
        {KERNEL: "_complex_conv._kernel", "pooling_kernel": "_pooling.weights", BIAS: "_pooling._bias"},
        pcen="_compression",
        constants=("_maximum_val",),
    ),
    "leaf-audio-pytorch": _Port(
        {
            KERNEL: "_complex_conv._kernel",
            "pooling_kernel": "_pooling._kernel",
            "preemp_kernel": "_preemp_conv.weight",
        },
        pcen="_compress_fn",
        constants=("_complex_conv.gabor_filter_init_t", "_pooling.gaussian_lowpass_init_t"),
    ),
    "speechbrain": _Port(
        {KERNEL: "complex_conv.kernel", "pooling_kernel": "pooling.weights", BIAS: "pooling._bias"}, pcen="compression"
    ),
}
PCEN_NAMES = {"pcen_alpha": "alpha", "pcen_delta": "delta", "pcen_root": "root", "pcen_smooth": "ema._weights"}


@dataclass(frozen=True)
class PortWeights:
    """A port's weights, ready for `make_frontend` and `Frontend.load_reference`.

    Attributes
    ----------
    port : str
        "leaf-pytorch", "leaf-audio-pytorch" or "speechbrain".
    config : dict
        Arguments of `make_frontend` that the weights decide. The sample rate, the window and the hop are in no
        state dict: add them where they are not the defaults.
    params : dict of str to ndarray
        For `Frontend.load_reference`.
    left_out : tuple of str
        What cannot be carried over, and why; features differ from the port's by that much.
    """

    port: str
    config: dict[str, Any]
    params: dict[str, Array] = field(repr=False)
    left_out: tuple[str, ...]


def read_port_weights(state_dict: Mapping[str, Tensor | Array]) -> PortWeights:
    """Read the LEAF that a public PyTorch port saved.

    Known are leaf-pytorch (SarthakYadav), leaf-audio-pytorch (denfed) and the Leaf of speechbrain, alone or inside a
    larger model, whose other weights are passed over.

    Parameters
    ----------
    state_dict : mapping of str to Tensor or ndarray
        The port's ``module.state_dict()``.

    Returns
    -------
    PortWeights

    Raises
    ------
    ValueError
        Where no known port's filters are found.

    Examples
    --------
    >>> import torch
    >>> from leaf_sklearn.frontends import make_frontend
    >>> state = {
    ...     "_complex_conv._kernel": torch.rand(8, 2),
    ...     "_pooling.weights": torch.full((1, 1, 8, 1), 0.4),
    ...     "_pooling._bias": torch.ones(8),
    ... }
    >>> weights = read_port_weights(state)
    >>> weights.config
    {'name': 'leaf', 'n_filters': 8, 'compression': None, 'preemphasis': False}
    >>> frontend = make_frontend(**weights.config, sample_rate=16000).load_reference(weights.params)
    >>> weights.left_out[0]
    '_pooling._bias: added to every energy by the port (up to 1), by the reference not'
    """
    port, prefix = _find(state_dict)
    names = {**PORTS[port].names, **{key: f"{PORTS[port].pcen}.{name}" for key, name in PCEN_NAMES.items()}}
    found = {key: _array(state_dict[prefix + name]) for key, name in names.items() if prefix + name in state_dict}
    n_filters = len(found[KERNEL])
    left_out = []
    if BIAS in found:
        largest = np.abs(found.pop(BIAS)).max()
        left_out.append(f"{names[BIAS]}: added to every energy by the port (up to {largest:g}), by the reference not")
    left_out.append(PADDING)
    known = {*names.values(), *PORTS[port].constants}
    strange = [key for key in state_dict if key.startswith(prefix) and key.removeprefix(prefix) not in known]
    left_out += [f"{key}: unknown" for key in strange]
    if "preemp_kernel" in found:
        found["preemp_kernel"] = found["preemp_kernel"].reshape(2, 1, 1)
    if "pcen_smooth" in found:
        found["pcen_smooth"] = np.broadcast_to(found["pcen_smooth"], (n_filters,))
    config = {
        "name": "leaf",
        "n_filters": n_filters,
        "compression": "pcen" if "pcen_alpha" in found else None,
        "preemphasis": "preemp_kernel" in found,
    }
    return PortWeights(port, config, found, tuple(left_out))


def _find(state_dict: Mapping[str, Any]) -> tuple[str, str]:
    """Which port, and what stands before its names inside a larger model."""
    for port, layout in PORTS.items():
        kernel, pooling = layout.names[KERNEL], layout.names["pooling_kernel"]
        for key in state_dict:
            prefix = key.removesuffix(kernel)
            if key != prefix and (not prefix or prefix.endswith(".")) and prefix + pooling in state_dict:
                return port, prefix
    wanted = [layout.names[KERNEL] for layout in PORTS.values()]
    raise ValueError(f"Got no LEAF weights: none of {sorted(state_dict)[:8]}... ends in one of {sorted(set(wanted))}.")


def _array(value: Tensor | Array) -> Array:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
