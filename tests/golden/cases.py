"""The reference's golden numbers: which frontend each case is, how to load it, and how far this package is from it.

The whole set stands in ../shared/golden; where that is missing, the subset beside this file is used.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from helpers import GOLDEN

from leaf_sklearn.frontends import make_frontend

SUBSET = Path(__file__).parent
FOLDER = GOLDEN if GOLDEN.is_dir() else SUBSET

OUTPUT, GRADIENT = 2e-5, 1e-5
SILENCE = 1e-6
SILENT = 1e-5


@dataclass(frozen=True)
class Family:
    """Frontends of the golden set that share a build, and the tolerances that its README gives them.

    ``filter_rate`` and ``min_delta`` are the options of modules that restore the reference where this package differs.
    """

    name: str
    options: dict = field(default_factory=dict)
    filter_rate: int | None = None
    output: float = OUTPUT
    gradient: float = GRADIENT
    silence: float = SILENCE
    sweep: float | None = None


SPAN_8K = {"fmin": 100.0, "fmax": 3800.0}
SPAN_22K = {"fmin": 60.0, "fmax": 10000.0, "n_fft": 512}
FAMILIES = {
    "leaf": Family("leaf"),
    "leaf_log": Family("leaf", {"compression": "log"}),
    "leaf_none": Family("leaf", {"compression": None}),
    "leaf_pcenfixed": Family("leaf", {"learn_pcen": False}),
    "leaf_preemp": Family("leaf", {"compression": "log", "preemphasis": True}),
    "leaf_mvn": Family("leaf", {"instance_norm": True}, silence=1e-3),
    "leaf_sorted": Family("leaf", {"compression": "log", "sort_filters": True}),
    "leaf_n64": Family("leaf"),
    "leaf_8k": Family("leaf", SPAN_8K),
    "leaf_log_8k": Family("leaf", {"compression": "log", **SPAN_8K}),
    "leaf_22k_evenwin": Family("leaf", SPAN_22K),
    "mel": Family("mel", output=1e-4),
    "mel_pcen": Family("mel-pcen", sweep=1e-2),
    "mel_pcen_8k": Family("mel-pcen", SPAN_8K, sweep=1e-2),
    "mel_pcenfixed": Family("mel-pcen", {"learn_pcen": False}, sweep=1e-2),
    "tdfbanks": Family("td-fbanks"),
    "tdfbanks_8k": Family("td-fbanks", SPAN_8K),
    "tdfbanks_22k_evenwin": Family("td-fbanks", SPAN_22K),
    "sincnet": Family("sincnet"),
    "sincnet_8k": Family("sincnet", filter_rate=16000),
    "sincnet_plus": Family("sincnet+", {"learn_pcen": False}, output=1e-3, gradient=1e-3),
    "sincnet_plus_8k": Family("sincnet+", {"learn_pcen": False}, filter_rate=16000, output=1e-3, gradient=1e-3),
}
KINDS = {
    **dict.fromkeys(
        ("leaf", "leaf_log", "leaf_none", "leaf_pcenfixed", "leaf_preemp", "leaf_mvn", "leaf_sorted", "leaf_log_8k"),
        ("init", "pert", "clip"),
    ),
    **dict.fromkeys(("sincnet", "sincnet_8k", "sincnet_plus_8k"), ("init", "pert", "clip")),
    **dict.fromkeys(("leaf_n64", "leaf_8k", "leaf_22k_evenwin", "mel_pcen", "sincnet_plus"), ("init", "clip")),
    **dict.fromkeys(("mel_pcenfixed", "mel_pcen_8k", "tdfbanks_8k", "tdfbanks_22k_evenwin"), ("init", "pert")),
    **dict.fromkeys(("mel", "tdfbanks"), ("init",)),
}
CASES = [f"{family}__{kind}" for family in FAMILIES for kind in KINDS[family]]
PARTS = [
    "kernels",
    "init_tables",
    *(
        f"stages_{family}__{kind}"
        for family in ("leaf", "sincnet", "sincnet_plus", "tdfbanks")
        for kind in ("init", "pert")
    ),
    "stages_leaf__clip",
    "adam_steps_leaf__init",
    "wavegram",
]
# Instance norm divides channel 10 by about 1e-3: in float64 too, one output is 6e-5 away.
OUTPUT_OF_CASE = {"leaf_mvn__clip": 1e-4}
# Sums that nearly cancel: the reference's own rounding, 1.5e-5 and 1.8e-5 from float64 in the first four.
GRADIENT_OF_CASE = {
    "leaf_preemp__init": 2e-5,
    "leaf_preemp__clip": 2e-5,
    "leaf_mvn__init": 5e-5,
    "leaf_mvn__pert": 5e-5,
    "leaf_mvn__clip": 1e-3,
    "sincnet_plus__clip": 2e-2,
    "sincnet_plus_8k__clip": 2e-2,
}
# Two samples under one maximum differ by 1e-7 of their value: float32 cannot tell which one the gradient goes to.
PRECISE_GRADIENT = {"sincnet_8k__init"}


def present(cases):
    """Those of the cases whose numbers are at hand."""
    return [case for case in cases if (FOLDER / f"{case}.npz").is_file()]


def load(case):
    """One case: (config, arrays, inputs), arrays keyed as in the file."""
    with np.load(FOLDER / f"{case}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files if key != "config"}
        config = json.loads(str(stored["config"]))
    inputs = {}
    if "inputs" in config:
        with np.load(FOLDER / config["inputs"]) as stored:
            inputs = {key: stored[key] for key in stored.files}
    return config, arrays, inputs


def params_of(arrays):
    """The case's parameters as `load_reference` takes them."""
    return {key.removeprefix("param/"): value for key, value in arrays.items() if key.startswith("param/")}


def build(case, config, algorithm="direct"):
    """The frontend of a case at its own start, with the reference's behaviour restored."""
    family = FAMILIES[case.split("__")[0]]
    frontend = make_frontend(
        family.name,
        sample_rate=config["sample_rate"],
        n_filters=config["n_filters"],
        window_ms=config["geometry"]["window_len_ms"],
        hop_ms=config["geometry"]["window_stride_ms"],
        algorithm=algorithm,
        **family.options,
    )
    if family.filter_rate is not None:
        frontend.filterbank.filter_rate = family.filter_rate
    if hasattr(frontend.compression, "min_delta"):
        frontend.compression.min_delta = 0.0
    return frontend


def deviation(got, reference, keep=None):
    """Largest difference as a share of the reference's largest value; absolute where that is rounding alone."""
    keep = np.isfinite(reference) if keep is None else keep & np.isfinite(reference)
    reference, got = reference[keep], got[keep]
    largest = np.abs(reference).max()
    return float(np.abs(got - reference).max() / (largest if largest > SILENT else 1.0))


def output_deviations(case, frontend, arrays, inputs):
    """Input name -> (deviation, tolerance); an input without a frame in the reference is left out."""
    family = FAMILIES[case.split("__")[0]]
    found = {}
    for name, waveforms in inputs.items():
        reference = arrays.get(f"out/{name}")
        if reference is None or reference.size == 0:
            continue
        with torch.no_grad():
            got = frontend(torch.from_numpy(waveforms)).transpose(1, 2).numpy()
        assert got.shape == reference.shape, (case, name)
        tolerance = OUTPUT_OF_CASE.get(case, family.output)
        if name == "sweep" and family.sweep is not None:
            tolerance = family.sweep
        if np.abs(reference).max() < 1.0 and name in ("zeros", "quiet", "tiny100"):
            tolerance = max(tolerance, family.silence)
        found[name] = (deviation(got, reference), tolerance)
    return found


def gradients(frontend, arrays, waveforms):
    """Gradients of the case's loss, by the reference's names and in its layouts."""
    tensor = torch.as_tensor(waveforms, dtype=frontend.energy_scale.dtype).requires_grad_()
    fixed = [
        value for name, value in frontend.compression.named_buffers() if name in ("alpha", "delta", "root", "smooth")
    ]
    for value in fixed:
        value.requires_grad_()
    weight = torch.from_numpy(arrays["grad_weight"]).transpose(1, 2)
    (frontend(tensor) * weight).sum().backward()
    return {
        "input": tensor.grad.numpy(),
        **{key: _gradient(frontend, key) for key in params_of(arrays) if key != "mel_matrix"},
    }


def _gradient(frontend, key):
    bank, pooling, compression = frontend.filterbank, frontend.pooling, frontend.compression
    if key == "gabor_kernel":
        return np.stack([bank.raw_center.grad.numpy(), bank.raw_sigma.grad.numpy()], axis=1)
    if key == "sinc_kernel":
        return bank.edges.grad.numpy()
    if key == "conv_kernel":
        return bank.taps.grad.numpy().transpose(2, 1, 0).reshape(bank.kernel_size, 1, -1)
    if key == "pooling_kernel" and hasattr(pooling, "taps"):
        return pooling.taps.grad.numpy().reshape(1, -1, 1, 1)
    if key == "pooling_kernel":
        return pooling.width.grad.numpy().reshape(1, 1, -1, 1)
    if key == "preemp_kernel":
        return frontend.preemphasis.taps.grad.numpy().reshape(2, 1, 1)
    owner, name = {
        "inorm_gamma": (frontend.instance_norm, "scale"),
        "inorm_beta": (frontend.instance_norm, "shift"),
        "ln_gamma": (compression, "scale"),
        "ln_beta": (compression, "shift"),
        "pcen_rnn_kernel": (compression, "smooth"),
        "pcen_rnn_recurrent": (compression, "smooth"),
    }.get(key, (compression, key.removeprefix("pcen_")))
    return getattr(owner, name).grad.numpy()


def gradient_deviations(case, frontend, arrays, inputs):
    """Reference's name -> (deviation, tolerance)."""
    family = FAMILIES[case.split("__")[0]]
    tolerance = GRADIENT_OF_CASE.get(case, family.gradient)
    if case in PRECISE_GRADIENT:
        frontend = frontend.double()
    found = {}
    for key, got in gradients(frontend, arrays, inputs["short03"]).items():
        reference = arrays[f"grad/{key}"]
        keep = np.ones(reference.shape, dtype=bool)
        if key == "pcen_rnn_recurrent":
            continue
        if key == "pcen_rnn_kernel":
            # The reference's smoother is a recurrent layer: s on the diagonal of one matrix, 1 - s on the other's.
            reference = np.diagonal(reference) - np.diagonal(arrays["grad/pcen_rnn_recurrent"])
            keep = np.ones(reference.shape, dtype=bool)
        if key == "sinc_kernel" and case.endswith("__init"):
            # Its upper edge stands on Nyquist, where the slope depends on rounding.
            keep[-1] = False
        found[key] = (deviation(got, reference, keep), tolerance)
    return found
