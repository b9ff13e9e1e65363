"""Parts of frontends against the reference: kernels, starts, stages, optimiser steps, Wavegram."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import cases, parity_table

from leaf_sklearn.dsp.bands import FilterRange, matrix_bands, scale_matrix
from leaf_sklearn.dsp.framing import correlate
from leaf_sklearn.dsp.kernels import (
    gabor_kernels,
    gaussian_lowpass,
    hamming_window,
    hann_window,
    sigma_limits,
    sinc_kernels,
    squared_hann_window,
)
from leaf_sklearn.dsp.smoothing import exponential_moving_average
from leaf_sklearn.frontends import make_frontend

TOLERANCE = 2e-5


def needs(case):
    return pytest.mark.skipif(not cases.present([case]), reason=f"{case} is not in the subset")


def check(parity, case, deviations):
    parity[case] = {"outputs": parity_table.worst(deviations)}
    assert not {name: found for name, found in deviations.items() if not found[0] <= found[1]}


@needs("kernels")
def test_kernels(parity):
    _, arrays, _ = cases.load("kernels")
    found = {}
    center, sigma = torch.from_numpy(arrays["gabor_kernel_rows_0_8_16_24_32"]).T
    width = torch.from_numpy(arrays["gauss_sigma"])
    for size in (401, 552, 257):
        sigma_here = sigma.clamp(*sigma_limits(size))
        ours = gabor_kernels(center, sigma_here, kernel_size=size).numpy()
        reference = np.concatenate([arrays[f"gabor_re/{size}"], arrays[f"gabor_im/{size}"]])
        found[f"gabor/{size}"] = (cases.deviation(ours, reference), TOLERANCE)
        lowpass = gaussian_lowpass(width, kernel_size=size).numpy()
        found[f"gauss/{size}"] = (cases.deviation(lowpass, arrays[f"gauss/{size}"][0, :, :, 0].T), TOLERANCE)
    for size in (401, 552, 257, 400):
        found[f"hann/{size}"] = (cases.deviation(hann_window(size).numpy(), arrays[f"tf_hann/{size}"]), TOLERANCE)
        for name, window in (("HAMMING", hamming_window(size)), ("SQUARED_HANNING", squared_hann_window(size))):
            found[f"{name.lower()}/{size}"] = (cases.deviation(window.numpy(), arrays[f"window/{name}/{size}"]), 1e-12)
    low, high = torch.from_numpy(arrays["sinc_lo"][0]), torch.from_numpy(arrays["sinc_hi"][0])
    ours = sinc_kernels(low, high, kernel_size=401, filter_rate=16000).numpy().T
    found["sinc/401"] = (cases.deviation(ours, arrays["sinc/401"]), TOLERANCE)
    check(parity, "kernels", found)


@needs("init_tables")
def test_starts(parity):
    _, arrays, _ = cases.load("init_tables")
    found = {}
    for key in [key for key in arrays if key.startswith("gabor_params/")]:
        rate, n_filters, low, high, n_fft = (float(part.lstrip("srnft")) for part in key.split("/")[1].split("_"))
        matrix = scale_matrix("mel", FilterRange(int(n_filters), int(rate), low, high), n_fft=int(n_fft))
        bands = matrix_bands(matrix, sample_rate=int(rate))
        center = 2.0 * np.pi * bands.center / rate
        sigma = np.sqrt(np.log(2.0)) * rate / (np.pi * bands.bandwidth)
        found[key] = (cases.deviation(np.stack([center, sigma], axis=1), arrays[key]), TOLERANCE)
        name = key.replace("gabor_params", "mel_matrix")
        if name in arrays:
            found[name] = (cases.deviation(matrix, arrays[name]), TOLERANCE)
    for rate, n_filters in ((16000, 40), (16000, 64), (8000, 24)):
        edges = make_frontend("sincnet", sample_rate=rate, n_filters=n_filters).filterbank.edges.detach().numpy()
        reference = arrays[f"sinc_params/n{n_filters}_sr{rate}"]
        found[f"sinc_params/n{n_filters}_sr{rate}"] = (cases.deviation(edges, reference), TOLERANCE)
    taps = make_frontend("td-fbanks").filterbank.taps.detach().numpy()
    for part, name in enumerate(("re", "im")):
        reference = arrays.get(f"td_filters_{name}/normalize_energy=False")
        if reference is not None:
            found[f"td_filters_{name}"] = (cases.deviation(taps[part], reference), TOLERANCE)
    check(parity, "init_tables", found)


STAGE_CASES = [case for case in cases.PARTS if case.startswith("stages_")]


@pytest.mark.parametrize("case", cases.present(STAGE_CASES))
def test_stages(case, parity):
    _, arrays, _ = cases.load(case)
    family = cases.FAMILIES[case.removeprefix("stages_").split("__")[0]]
    frontend = make_frontend(family.name, algorithm="direct", **family.options).load_reference(cases.params_of(arrays))
    if hasattr(frontend.compression, "min_delta"):
        frontend.compression.min_delta = 0.0
    bank, waveforms = frontend.filterbank, torch.from_numpy(arrays["input"])
    with torch.no_grad():
        size = frontend.window
        conv = correlate(F.pad(waveforms, ((size - 1) // 2, size - 1 - (size - 1) // 2)), bank.kernels())
        pooled = frontend.energies(waveforms)
        got = {
            "activation": bank.activation(conv),
            "pooled": pooled,
            "floored": pooled.clamp(min=bank.energy_floor),
            "output": frontend(waveforms),
        }
        if conv.shape[1] == 2 * frontend.n_filters:
            conv = conv.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        got["conv"] = conv
        if "ema" in arrays:
            got["ema"] = exponential_moving_average(got["floored"], frontend.compression.smooth.clamp(0.0, 1.0))
    found = {
        name: (cases.deviation(value.transpose(1, 2).numpy(), arrays[name]), TOLERANCE)
        for name, value in got.items()
        if name in arrays
    }
    if "constrained_kernel" in arrays:
        kernel = torch.stack([bank.center, bank.sigma], dim=1).detach().numpy()
        found["constrained_kernel"] = (cases.deviation(kernel, arrays["constrained_kernel"]), TOLERANCE)
    if "lowpass_kernel" in arrays:
        taps = gaussian_lowpass(frontend.pooling.width.detach(), kernel_size=frontend.window).numpy()
        found["lowpass_kernel"] = (cases.deviation(taps, arrays["lowpass_kernel"][0, :, :, 0].T), TOLERANCE)
    assert {"pooled", "output"} <= set(found)
    check(parity, case, found)


def keras_adam(parameters, moments, step, *, rate=0.01, first=0.9, second=0.999, eps=1e-7):
    """One step of Keras' Adam, whose eps is added before the correction of the second moment."""
    for parameter, (mean, square) in zip(parameters, moments, strict=True):
        mean.mul_(first).add_(parameter.grad, alpha=1.0 - first)
        square.mul_(second).addcmul_(parameter.grad, parameter.grad, value=1.0 - second)
        size = rate * (1.0 - second**step) ** 0.5 / (1.0 - first**step)
        parameter.data.sub_(size * mean / (square.sqrt() + eps))
        parameter.grad = None


@needs("adam_steps_leaf__init")
def test_adam_steps_with_the_projection(parity):
    _, arrays, _ = cases.load("adam_steps_leaf__init")

    def params(step):
        prefix = f"step{step}/"
        return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

    frontend = make_frontend("leaf", algorithm="direct").load_reference(params(0))
    parameters = list(frontend.parameters())
    moments = [(torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in parameters]
    waveforms, target = torch.from_numpy(arrays["input"]), torch.from_numpy(arrays["target"]).transpose(1, 2)
    reached, found = make_frontend("leaf"), {}
    for step in range(6):
        loss = F.mse_loss(frontend(waveforms), target)
        found[f"loss{step}"] = (cases.deviation(loss.detach().numpy(), arrays["loss"][step]), TOLERANCE)
        reached.load_reference(params(step))
        for (name, got), wanted in zip(frontend.named_parameters(), reached.parameters(), strict=True):
            found[f"step{step}/{name}"] = (cases.deviation(got.detach().numpy(), wanted.detach().numpy()), TOLERANCE)
        loss.backward()
        keras_adam(parameters, moments, step + 1)
        frontend.project_()
    check(parity, "adam_steps_leaf__init", found)


@needs("wavegram")
def test_wavegram(parity):
    _, arrays, _ = cases.load("wavegram")
    with np.load(cases.FOLDER / "inputs_16000.npz") as inputs:
        clips = {name: torch.from_numpy(inputs[name]) for name in ("short03", "odd4801", "batch3")}
    frontend = make_frontend("wavegram", n_filters=64)
    assert sum(parameter.numel() for parameter in frontend.parameters()) == 309_568
    frontend.load_reference({key: value for key, value in arrays.items() if key.startswith("w")})
    found = {}
    with torch.no_grad():
        frontend.eval()
        for name, waveforms in clips.items():
            got = frontend(waveforms).transpose(1, 2)[..., None].numpy()
            found[f"out_infer/{name}"] = (cases.deviation(got, arrays[f"out_infer/{name}"]), TOLERANCE)
        frontend.train()
        got = frontend(clips["batch3"]).transpose(1, 2)[..., None].numpy()
        found["out_train/batch3"] = (cases.deviation(got, arrays["out_train/batch3"]), TOLERANCE)
    for index, layer in enumerate(frontend.filterbank.layers):
        for offset, value, allowed in ((3, layer.mean, TOLERANCE), (4, layer.variance, 1e-4)):
            key = f"after_train|w{5 * index + offset:02d}"
            found[key.replace("|", " ")] = (cases.deviation(value.numpy(), arrays[key]), allowed)
    check(parity, "wavegram", found)
