"""The switches of CUDA's precision, which can be looked at without a GPU."""

import pytest
import torch

from leaf_sklearn.dsp.precision import full_precision


def switches():
    cudnn = torch.backends.cudnn
    return torch.backends.cuda.matmul.allow_tf32, cudnn.allow_tf32, cudnn.enabled, cudnn.benchmark, cudnn.deterministic


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda':UserWarning")
def test_on_cuda_tf32_is_off_and_all_else_as_it_was():
    before = switches()
    with pytest.raises(KeyError), full_precision(torch.device("cuda")):
        assert switches() == (False, False, *before[2:])
        assert not torch.is_autocast_enabled("cuda")
        raise KeyError
    assert switches() == before


def test_elsewhere_no_switch_is_touched():
    before = switches()
    with full_precision(torch.device("cpu")):
        assert switches() == before
