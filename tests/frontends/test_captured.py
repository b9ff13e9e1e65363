"""Frontends as CUDA graphs, and that nothing within a graph would come from the host."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from leaf_sklearn.frontends import PRESETS, CapturedFrontend, make_frontend

LENGTHS = torch.tensor([5000, 3000, 411])


class NoTensorOfTheHost(TorchDispatchMode):
    """Raises for an operation that takes tensors of the CPU, numbers aside; to read from "meta" raises by itself."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        copied = [each.shape for each in given if each.device.type == "cpu" and each.dim()]
        assert not copied, f"{func} takes {copied} from the host"
        return func(*args, **(kwargs or {}))


class NoNumbersOfTheHost(TorchFunctionMode):
    """Raises where Python's numbers or lists become tensors."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        assert func not in (torch.tensor, torch.as_tensor, torch.from_numpy), f"{func} copies {args}"
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            places = args[1] if isinstance(args[1], tuple) else (args[1],)
            assert not any(isinstance(place, list) for place in places), f"the index {places} is copied"
        return func(*args, **(kwargs or {}))


def on_meta(value):
    if isinstance(value, list):
        return [on_meta(each) for each in value]
    return value.to("meta") if isinstance(value, Tensor) else value


@pytest.mark.parametrize("name", PRESETS)
def test_a_held_frontend_neither_reads_nor_writes_the_host(name):
    frontend = make_frontend(name, n_filters=12).eval().requires_grad_(False)
    frontend.filterbank.hold(frontend.pooling)
    waveforms = torch.randn(3, 5000, generator=torch.Generator().manual_seed(0))
    lengths = torch.full((3,), 5000) if frontend.equal_lengths else LENGTHS
    with torch.no_grad():
        expected = frontend(waveforms, lengths)
    frontend.to("meta")
    held = getattr(frontend.filterbank, "held", None)
    assert (held is not None) == (name == "leaf")
    if held is not None:
        frontend.filterbank.held = replace(
            held, **{each.name: on_meta(getattr(held, each.name)) for each in fields(held)}
        )
    waveforms, lengths = waveforms.to("meta"), lengths.to("meta")
    with torch.no_grad():
        frontend(waveforms, lengths)  # makes the constants that are kept
        with NoNumbersOfTheHost(), NoTensorOfTheHost():
            assert frontend(waveforms, lengths).shape == expected.shape


def test_held_constants_are_those_of_the_parameters_at_that_time():
    frontend = make_frontend("leaf", n_filters=12).requires_grad_(False)
    waveforms = torch.randn(2, 5000, generator=torch.Generator().manual_seed(0))
    before = frontend(waveforms)
    frontend.filterbank.hold(frontend.pooling)
    torch.testing.assert_close(frontend(waveforms), before, rtol=0, atol=0)
    frontend.filterbank.raw_center.mul_(0.5)
    torch.testing.assert_close(frontend(waveforms), before, rtol=0, atol=0)


def test_other_devices_have_no_graphs():
    with pytest.raises(ValueError, match="device='cpu', expected a CUDA device"):
        CapturedFrontend(make_frontend("leaf"), 2, 5000, device="cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("name", PRESETS)
def test_a_graph_gives_what_its_frontend_gives(name):
    frontend = make_frontend(name, n_filters=12).eval().requires_grad_(False)
    captured = CapturedFrontend(frontend, 3, 5000)
    plain = frontend.cuda()
    for seed in range(3):
        waveforms = torch.randn(3, 5000, generator=torch.Generator().manual_seed(seed)).cuda()
        for lengths in (None, None if frontend.equal_lengths else LENGTHS.cuda()):
            whole = torch.full((3,), 5000, device="cuda") if lengths is None else lengths
            torch.testing.assert_close(captured(waveforms, lengths), plain(waveforms, whole), rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
def test_a_graph_refuses_other_shapes():
    captured = CapturedFrontend(make_frontend("leaf", n_filters=4), 2, 5000)
    with pytest.raises(ValueError, match=r"waveforms \(3, 5000\), expected \(2, 5000\)"):
        captured(torch.zeros(3, 5000))
    with pytest.raises(ValueError, match=r"lengths \(3,\), expected \(2,\)"):
        captured(torch.zeros(2, 5000), torch.ones(3, dtype=torch.int64))
