"""Parameters of the reference and of public ports: what is taken, what is refused, what is left out."""

import numpy as np
import pytest
import torch
from golden import cases

from leaf_sklearn.frontends import make_frontend, read_port_weights


@pytest.fixture(scope="module")
def params():
    return cases.params_of(cases.load("leaf__pert")[1])


def leaf_pytorch(params, *, kernel="_complex_conv._kernel", pooling="_pooling", pcen="_compression"):
    return {
        kernel: torch.from_numpy(params["gabor_kernel"]),
        f"{pooling}.weights": torch.from_numpy(params["pooling_kernel"]),
        f"{pooling}._bias": torch.full((40,), 0.9),
        **{f"{pcen}.{name}": torch.from_numpy(params[f"pcen_{name}"]) for name in ("alpha", "delta", "root")},
        f"{pcen}.ema._weights": torch.from_numpy(params["pcen_smooth"]),
    }


def speechbrain(params):
    return leaf_pytorch(params, kernel="complex_conv.kernel", pooling="pooling", pcen="compression")


@pytest.mark.parametrize("port, state_dict", [("leaf-pytorch", leaf_pytorch), ("speechbrain", speechbrain)])
@pytest.mark.parametrize("prefix", ["", "module.features."])
def test_a_ports_weights_are_the_references_but_for_the_bias(params, port, state_dict, prefix):
    state = {prefix + key: value for key, value in state_dict(params).items()}
    if prefix:
        state["classifier.weight"] = torch.ones(3)
    weights = read_port_weights(state)
    assert weights.port == port
    assert [reason.split(":")[0].lstrip("_") for reason in weights.left_out] == ["pooling._bias", "padding"]
    assert "0.9" in weights.left_out[0]
    got = make_frontend(**weights.config).load_reference(weights.params)
    wanted = make_frontend("leaf").load_reference(params)
    for (name, value), reference in zip(got.named_parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(value, reference, rtol=0, atol=0, msg=name)


def test_leaf_audio_pytorch_with_pre_emphasis_and_one_smoothing(params):
    state = {
        "_complex_conv._kernel": torch.from_numpy(params["gabor_kernel"]),
        "_complex_conv.gabor_filter_init_t": torch.arange(401.0),
        "_pooling._kernel": torch.from_numpy(params["pooling_kernel"]),
        "_pooling.gaussian_lowpass_init_t": torch.arange(401.0),
        "_preemp_conv.weight": torch.tensor([[[-0.9, 1.1]]]),
        **{f"_compress_fn.{name}": torch.from_numpy(params[f"pcen_{name}"]) for name in ("alpha", "delta", "root")},
        "_compress_fn.ema._weights": torch.tensor([0.07]),
    }
    weights = read_port_weights(state)
    assert weights.port == "leaf-audio-pytorch"
    assert [reason.split(":")[0] for reason in weights.left_out] == ["padding"]
    frontend = make_frontend(**weights.config).load_reference(weights.params)
    np.testing.assert_allclose(frontend.preemphasis.taps.detach(), [-0.9, 1.1], rtol=1e-6)
    np.testing.assert_allclose(frontend.compression.smooth.detach(), np.full(40, 0.07), rtol=1e-6)


def test_a_weight_that_a_port_does_not_have_is_named(params):
    state = {**leaf_pytorch(params), "_instance_norm.weight": torch.ones(40)}
    assert "_instance_norm.weight: unknown" in read_port_weights(state).left_out


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match=r"no LEAF weights.*complex_conv\.kernel"):
        read_port_weights({"conv1.weight": torch.ones(3)})


def test_missing_superfluous_and_misshapen_parameters_are_named(params):
    frontend = make_frontend("leaf")
    with pytest.raises(ValueError, match="lack 'pcen_delta'"):
        frontend.load_reference({key: value for key, value in params.items() if key != "pcen_delta"})
    with pytest.raises(ValueError, match=r"no place for the parameters \['ln_beta'\]"):
        frontend.load_reference({**params, "ln_beta": np.zeros(40)})
    with pytest.raises(ValueError, match=r"Got pcen_root laid out as \(39,\), expected \(40,\)"):
        frontend.load_reference({**params, "pcen_root": np.ones(39)})
    with pytest.raises(ValueError, match=r"gabor_kernel laid out as \(39, 2\)"):
        frontend.load_reference({**params, "gabor_kernel": np.ones((39, 2))})


def test_load_reference_drops_the_energy_scale(params):
    frontend = make_frontend("leaf")
    waveforms = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))
    wanted = make_frontend("leaf").load_reference(params)(waveforms)
    frontend.set_energy_scale(torch.full((40,), 0.3))
    torch.testing.assert_close(frontend.load_reference(params)(waveforms), wanted, rtol=0, atol=0)
