import sys

import pytest
import torch
from helpers import load_golden, needs_golden
from torch import nn

from leaf_sklearn.encoders import CNN, PANN, BatchNorm, Dropout, make_encoder


def features(n_clips=3, n_filters=6, n_frames=20, seed=0):
    return torch.randn(n_clips, n_filters, n_frames, generator=torch.Generator().manual_seed(seed))


def test_one_vector_a_clip_whatever_the_padding():
    encoder = make_encoder("cnn", n_filters=6, generator=torch.Generator().manual_seed(0)).eval()
    values, n_frames = features(), torch.tensor([20, 7, 1])
    with torch.no_grad():
        together = encoder(values, n_frames)
        alone = [encoder(values[row : row + 1, :, :n], torch.tensor([n])) for row, n in enumerate(n_frames.tolist())]
    assert together.shape == (3, encoder.n_outputs)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-6)


def test_convolution_is_torch_s_and_keeps_the_layout():
    layer = make_encoder("cnn", n_filters=6).network.first
    values = features()
    wanted = torch.nn.functional.conv1d(values, layer.weight, layer.bias, padding="same")
    by_frame = layer(values.mT.contiguous().mT)
    torch.testing.assert_close(layer(values), wanted)
    torch.testing.assert_close(by_frame, wanted)
    assert by_frame.mT.is_contiguous()


def test_lazy_layers_draw_from_the_generator_too():
    def build(n_filters):
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(5))

    before = torch.random.get_rng_state()
    first, second = (make_encoder(build, n_filters=4, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.network[1].weight, second.network[1].weight) and first.n_outputs == 5


def test_weights_come_from_the_generator_and_leave_torch_s_own_alone():
    before = torch.random.get_rng_state()
    first, second = (make_encoder("cnn", n_filters=4, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    different = make_encoder("cnn", n_filters=4, generator=torch.Generator().manual_seed(8))
    assert not torch.equal(first.network.first.weight, different.network.first.weight)


def test_a_callable_is_an_encoder():
    encoder = make_encoder(
        lambda n: nn.Sequential(nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(2 * n, 5)), n_filters=6
    )
    assert encoder.n_outputs == 5
    assert encoder(features(), torch.tensor([20, 20, 20])).shape == (3, 5)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        ("resnet", ValueError, "expected one of .*'linear', 'cnn'"),
        (lambda n: 3, TypeError, "returned int"),
        (lambda n: nn.Conv1d(n, 4, 3), ValueError, r"expected \(2, E\)"),
    ],
)
def test_what_is_no_encoder_is_refused(encoder, error, message):
    with pytest.raises(error, match=message):
        make_encoder(encoder, n_filters=6)


def test_batch_norm_leaves_padding_out():
    norm = BatchNorm(6)
    values, n_frames = features(), torch.tensor([20, 7, 1])
    padded = values.clone()
    for row, n in enumerate(n_frames):
        padded[row, :, n:] = 1e4
    normed = norm(padded, n_frames)
    valid = torch.cat([normed[row, :, :n] for row, n in enumerate(n_frames)], 1)
    torch.testing.assert_close(valid.mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(valid.var(1, correction=0), torch.ones(6), atol=1e-3, rtol=0)


@pytest.mark.parametrize("n_padded", [0, 3])
def test_batch_norm_equals_torch_s_on_what_is_no_padding(n_padded):
    ours, theirs = BatchNorm(6), nn.BatchNorm1d(6)
    values, n_frames = features(), torch.tensor([20, 20, 20])
    padded = nn.functional.pad(values, (0, n_padded), value=1e4)
    torch.testing.assert_close(ours(padded, n_frames)[..., :20], theirs(values))
    torch.testing.assert_close(ours.mean, theirs.running_mean)
    torch.testing.assert_close(ours.variance, theirs.running_var)


def test_batch_norm_of_one_value_a_channel():
    norm = BatchNorm(6)
    assert (norm(torch.ones(1, 6, 1), torch.tensor([1])) == 0).all()
    assert norm.variance.isfinite().all()


def test_dropout_draws_from_its_generator():
    layer = Dropout(0.4)
    values = torch.ones(200, 50)
    layer.generator = torch.Generator().manual_seed(0)
    first = layer(values)
    layer.generator = torch.Generator().manual_seed(0)
    assert torch.equal(first, layer(values))
    assert (first == 0).double().mean() == pytest.approx(0.4, abs=0.02)
    assert first.mean() == pytest.approx(1.0, abs=0.03)
    assert torch.equal(layer.eval()(values), values)


def test_padded_frames_change_nothing_in_the_gradient():
    encoder = CNN(6)
    values = features().requires_grad_()
    encoder(values, torch.tensor([20, 7, 3])).sum().backward()
    assert (values.grad[1, :, 7:] == 0).all() and (values.grad[2, :, 3:] == 0).all()
    assert (values.grad[0] != 0).any()


@needs_golden
def test_blocks_of_cnn14_equal_the_reference_s():
    _, arrays, _ = load_golden("pann_depth2")
    weights = [torch.from_numpy(arrays[key]) for key in sorted(key for key in arrays if key.startswith("w"))]
    network = PANN(41, channels=(64, 128)).eval()
    targets = [network.norm]
    for block in network.blocks:
        targets += [block.first, block.first_norm, block.second, block.second_norm]
    remaining = iter(weights)
    with torch.no_grad():
        for target in targets:
            if isinstance(target, nn.Conv2d):
                target.weight.copy_(next(remaining).permute(3, 2, 0, 1))
            else:
                for name in ("weight", "bias", "running_mean", "running_var"):
                    getattr(target, name).copy_(next(remaining))
        found = network(torch.from_numpy(arrays["input"][..., 0]).transpose(1, 2))
    expected = torch.from_numpy(arrays["out_infer"]).permute(0, 3, 1, 2)
    assert next(remaining, None) is None
    assert (found - expected).abs().max() < 2e-5 * expected.abs().max()


@pytest.mark.parametrize("name", ["cnn14", "efficientnet_b0"])
def test_the_paper_s_encoders_take_a_step(name):
    if name == "efficientnet_b0":
        pytest.importorskip("monai")
    encoder = make_encoder(name, n_filters=40, generator=torch.Generator().manual_seed(0))
    encoder.generator = torch.Generator().manual_seed(1)
    before = torch.random.get_rng_state()
    values = features(2, 40, 40).requires_grad_()
    embedded = encoder(values, torch.tensor([40, 40]))
    assert embedded.shape == (2, encoder.n_outputs)
    embedded.square().sum().backward()
    assert values.grad.isfinite().all() and (values.grad != 0).any()
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_missing_monai_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets", None)
    with pytest.raises(ImportError, match=r"pip install 'leaf-sklearn\[encoders\]'"):
        make_encoder("efficientnet_b0", n_filters=4)
