"""The switches of CUDA's precision, which can be looked at without a GPU."""

import subprocess
import sys

import pytest
import torch

from leaf_sklearn.dsp.precision import full_precision


def switches():
    """All switches; None for those that torch will not tell after another one was set."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    found = [cudnn.enabled, cudnn.benchmark, cudnn.deterministic]
    for read in (
        lambda: matmul.allow_tf32,
        lambda: matmul.fp32_precision,
        lambda: cudnn.allow_tf32,
        lambda: cudnn.conv.fp32_precision,
        lambda: cudnn.rnn.fp32_precision,
        torch.get_float32_matmul_precision,
    ):
        try:
            found.append(read())
        except (RuntimeError, AttributeError):
            found.append(None)
    return found


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda':UserWarning")
def test_on_cuda_tf32_is_off_and_all_else_as_it_was():
    before = switches()
    with pytest.raises(KeyError), full_precision(torch.device("cuda")):
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (False, False)
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
        assert switches()[:3] == before[:3]
        assert not torch.is_autocast_enabled("cuda")
        raise KeyError
    assert switches() == before


@pytest.mark.parametrize(
    "setting",
    [
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
        "torch.backends.fp32_precision = 'tf32'",
        "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
        "torch.backends.cuda.matmul.allow_tf32 = True",
        "torch.backends.cudnn.allow_tf32 = False",
        "torch.set_float32_matmul_precision('medium')",
    ],
)
def test_whatever_was_set_before_is_off_inside_and_back_afterwards(setting):
    """In a process of its own: some settings cannot be taken back."""
    code = f"""
import torch
from test_precision import full_precision, switches
{setting}
before = switches()
with full_precision(torch.device("cuda")), full_precision(torch.device("cuda")):
    assert torch.backends.cuda.matmul.fp32_precision == torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cuda.matmul.allow_tf32 is False
assert switches() == before, (before, switches())
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=__file__.rpartition("/")[0], check=False)
    assert done.returncode == 0


def test_elsewhere_no_switch_is_touched():
    before = switches()
    with full_precision(torch.device("cpu")):
        assert switches() == before
