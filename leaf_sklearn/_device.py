"""Where tensors live: the device that a name stands for."""

import torch


def resolve_device(device: str) -> torch.device:
    """Return the device named, "auto" meaning CUDA, then MPS, then the CPU; ValueError if it is not there."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"Got device={device!r}, expected 'auto' or one of {_available()}.") from error
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (chosen.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(chosen.type, False):
        raise ValueError(
            f"Got device={device!r}, which is not available here; expected 'auto' or one of {_available()}."
        )
    return chosen


def _available() -> list[str]:
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return [*names, "mps"] if torch.backends.mps.is_available() else names
