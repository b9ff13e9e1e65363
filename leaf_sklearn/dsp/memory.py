"""Memory that large arrays come from, call after call."""

from functools import cache

import torch


@cache
def keep_memory() -> None:
    """Have glibc keep freed memory for the next arrays instead of fetching it anew, zeroed page by page.

    It does so once a block has been freed that is larger than what is used (its dynamic thresholds go up to 32 MB).
    The pages of this one are never touched. Without it energies cost up to twice as much.
    """
    torch.empty(28 * 2**20, dtype=torch.uint8)
