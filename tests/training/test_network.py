"""Heads are spared the masks of padded clips where the host knows that none is padded, on any device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from leaf_sklearn._training.network import Network
from leaf_sklearn.dsp.precision import full_precision
from leaf_sklearn.encoders import CNN
from leaf_sklearn.frontends import make_frontend


class Recorded(TorchDispatchMode):
    """Names of the operations that ran."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.names.append(operation.overloadpacket.__name__)
        return operation(*args, **(kwargs or {}))


class Weighted(CNN):
    """A user's encoder, which mixes features and frame counts."""

    def forward(self, features, n_frames):
        valid = torch.arange(features.shape[-1], device=features.device) < n_frames[:, None]
        return super().forward(features * valid[:, None], n_frames)


def operations_of_heads(lengths, encoder="cnn"):
    """What the heads do on another device than the CPU, forward and backward."""
    network = Network(make_frontend("leaf", n_filters=4), encoder, 3, statistics=True).to("meta").train()
    with torch.no_grad():
        features, n_frames = network.features(torch.empty(3, 3200, device="meta"), lengths)
    with Recorded() as recorded:
        outputs = [head(features, n_frames) for head in network.heads]
        torch.stack(outputs).sum().backward()
    return recorded.names


def test_on_another_device_full_clips_are_not_masked():
    names = operations_of_heads(torch.full((3,), 3200))
    assert "where" not in names and names.count("native_batch_norm_backward") == 4
    assert "where" in operations_of_heads(torch.tensor([3200, 3200, 1600]))


@pytest.mark.parametrize("lengths", [[3200] * 3, [3200, 1600, 3200]])
def test_encoders_of_users_get_frame_counts_beside_the_features(lengths):
    assert "lt" in operations_of_heads(torch.tensor(lengths), Weighted)


@pytest.mark.gpu
@pytest.mark.parametrize("lengths", [[3200] * 4, [3200, 1600, 3200, 800]])
def test_heads_give_the_outputs_and_gradients_of_the_cpu(lengths):
    found = []
    for device in ("cpu", "cuda"):
        network = Network(make_frontend("leaf", n_filters=4), "cnn", 3, statistics=True).to(device).train()
        for head in network.heads:
            head.dropout.rate = 0.0
        waveforms = torch.randn(4, 3200, generator=torch.Generator().manual_seed(0)).to(device)
        with full_precision(waveforms.device):  # the encoder's convolutions would take TF32
            outputs = torch.stack(network(waveforms, torch.tensor(lengths)))
            outputs.square().sum().backward()
        gradients = [parameter.grad for parameter in network.heads.parameters()]
        found.append([each.detach().cpu() for each in (outputs, *gradients, *network.heads.buffers())])
    for there, on_cpu in zip(found[1], found[0], strict=True):
        bound = 2e-3 * float(on_cpu.abs().max()) + 1e-4
        torch.testing.assert_close(there, on_cpu, rtol=0, atol=bound)
