"""Time the frontends against direct convolution and log-mel spectrograms, and draw how the times scale.

    python benchmarks/speed.py [--rounds 7] [--threads 1 2] [--device cpu] [--picture speed.png]

Times are milliseconds per second of 16 kHz audio, medians over rounds in which every method runs once untimed and once
timed. "conv1d" is the plain direct form (torch conv1d at stride 1, squared modulus or what the frontend has in its
place, grouped pooling), in full precision. Gabor kernels as their formula gives them hold denormal numbers, which some
processors multiply many times as slowly; "no denormals" is the same with the package's kernels, which hold zeros there,
as those of other frontends do. "direct" is the package's direct form, which works on pieces that fit a cache. Filters
are those of the usual start: 40 on the mel scale, 25 ms windows, 10 ms hop.
"""

import argparse
import math
import platform
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import torch
from _baselines import (
    HOP,
    KERNEL_SIZE,
    N_FILTERS,
    SAMPLE_RATE,
    conv1d_features,
    direct_energies,
    in_place_of_energies,
    librosa_mel,
    parameters,
    torch_mel,
)
from torch import Tensor

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.dsp.band_plan import BandPlan, plan_bands
from leaf_sklearn.dsp.band_weights import prepare_bands
from leaf_sklearn.dsp.bandlimited import pooled_energies
from leaf_sklearn.dsp.kernels import sigma_limits
from leaf_sklearn.frontends import CapturedFrontend, Frontend, make_frontend

BATCHES = {"16 x 1 s": (16, 1.0), "1 x 10 s": (1, 10.0)}
BATCHES_OF_A_GPU = {**BATCHES, "512 x 1 s": (512, 1.0), "50 x 10 s": (50, 10.0)}
LENGTHS_S = (0.3, 1.0, 3.0, 10.0, 60.0, 300.0, 3600.0)
Methods = dict[str, Callable[[], object]]


def batches(options: argparse.Namespace) -> dict[str, tuple[int, float]]:
    return BATCHES if options.device == "cpu" else BATCHES_OF_A_GPU


def plan_of(options: argparse.Namespace, *values: Tensor) -> BandPlan:
    numbers = [value.cpu().numpy() for value in values]
    return plan_bands(*numbers, kernel_size=KERNEL_SIZE, hop=HOP, few_groups=options.device != "cpu")


def timed(methods: Methods, options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each method."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(options.rounds):
        for name, method in methods.items():
            method()
            synchronize(options.device)
            start = time.perf_counter()
            method()
            synchronize(options.device)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def ratio(first: float, second: float) -> str:
    value = first / second
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def synchronize(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def noise(n_clips: int, seconds: float, device: str = "cpu") -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_clips, round(seconds * SAMPLE_RATE), generator=generator).to(device)


def leaf(algorithm: str, device: str, **settings: object) -> Frontend:
    return make_frontend("leaf", algorithm=algorithm, **settings).to(device).requires_grad_(False)


def transforms(frontend: Frontend, n_clips: int, seconds: float, options: argparse.Namespace) -> Callable[[], object]:
    """The FFTs of the fast form alone: what no arrangement of the rest can go below."""
    plan = plan_of(options, *parameters(frontend))
    n_blocks = n_clips * math.ceil((seconds * SAMPLE_RATE / HOP + plan.frame_cells - 1) / plan.valid)
    device = frontend.filterbank.center.device
    blocks = torch.randn(n_blocks, plan.block, device=device)
    shapes = [(len(group.filters), n_blocks, group.rate * plan.cells) for group in plan.groups]
    bands = [torch.randn(shape, dtype=torch.complex64, device=device) for shape in shapes]

    def transform() -> None:
        torch.fft.rfft(blocks)
        for band in bands:
            torch.fft.ifft(band, norm="forward")

    return transform


def leaf_table(options: argparse.Namespace) -> None:
    """Energies and whole transforms of leaf against everything else."""
    fast, direct, log_mel = leaf("fast", options.device), leaf("direct", options.device), torch_mel(options.device)
    X = noise(16, 1.0).numpy()
    made = {
        algorithm: LeafTransformer(algorithm=algorithm, device=options.device).fit(X)
        for algorithm in ("direct", "fast")
    }
    mel = MelTransformer(device=options.device).fit(X)
    timings = ("conv1d", "no denormals", "direct", "fast", "its FFTs alone", "torch log-mel")
    head("energies", "threads", *timings, "conv1d / fast", "no denormals / fast", "fast / torch log-mel")
    rows = []
    for n_threads in options.threads:
        torch.set_num_threads(n_threads)
        for name, (n_clips, seconds) in batches(options).items():
            clips = noise(n_clips, seconds, options.device)
            X = list(clips.cpu().numpy())
            methods: Methods = {
                "conv1d": partial(direct_energies, clips, fast, denormals=True),
                "no denormals": partial(direct_energies, clips, fast),
                "direct": partial(direct.energies, clips),
                "fast": partial(fast.energies, clips),
                "FFTs": transforms(fast, n_clips, seconds, options),
                "mel": partial(log_mel, clips),
                "transform direct": partial(made["direct"].transform, X),
                "transform fast": partial(made["fast"].transform, X),
                "transform mel": partial(mel.transform, X),
            }
            if options.device == "cpu":
                methods["librosa"] = partial(librosa_mel, clips)
            with torch.inference_mode():
                times = {key: 1e3 * value / n_clips / seconds for key, value in timed(methods, options).items()}
            shown = ("conv1d", "no denormals", "direct", "fast", "FFTs", "mel")
            ratios = (*(ratio(times[key], times["fast"]) for key in shown[:2]), f"{times['fast'] / times['mel']:.1f}")
            row(name, n_threads, *(f"{times[key]:.3g}" for key in shown), *ratios)
            rows.append((name, n_threads, times))
    others = ("MelTransformer", "librosa log-mel")[: 2 if options.device == "cpu" else 1]
    head("transform", "threads", "direct", "fast", *others, "conv1d / fast", "no denormals / fast", "direct / fast")
    for name, n_threads, times in rows:
        keys = ("transform direct", "transform fast", "transform mel", "librosa")[: 2 + len(others)]
        fast_time = times["transform fast"]
        plain = [times[key] + fast_time - times["fast"] for key in ("conv1d", "no denormals")]
        ratios = [ratio(time, fast_time) for time in (*plain, times["transform direct"])]
        row(name, n_threads, *(f"{times[key]:.3g}" for key in keys), *ratios)


def training_table(options: argparse.Namespace) -> None:
    """Forward and backward of the frontend."""
    timings = ("conv1d", "no denormals", "fast")
    head("training step, 32 x 1.5 s", "threads", *timings, "conv1d / fast", "no denormals / fast")
    clips, frontend = noise(32, 1.5, options.device), leaf("fast", options.device).requires_grad_(True)

    def step(energies: Callable[[Tensor], Tensor]) -> None:
        torch.autograd.grad(frontend.compress(energies(clips)).sum(), list(frontend.parameters()))

    methods: Methods = {
        "conv1d": partial(step, partial(direct_energies, frontend=frontend, denormals=True)),
        "no denormals": partial(step, partial(direct_energies, frontend=frontend)),
        "fast": partial(step, frontend.energies),
    }
    for n_threads in options.threads:
        torch.set_num_threads(n_threads)
        times = timed(methods, argparse.Namespace(rounds=max(options.rounds // 2, 1), device=options.device))
        per_second = [f"{1e3 * value / 48:.3g}" for value in times.values()]
        row("", n_threads, *per_second, *(ratio(times[key], times["fast"]) for key in ("conv1d", "no denormals")))


def fit_table(options: argparse.Namespace) -> None:
    """Whole fits on 96 clips of one second, the search aside."""
    forms = {
        "conv1d": ("direct", in_place_of_energies(denormals=True)),
        "no denormals": ("direct", in_place_of_energies(denormals=False)),
        "direct": ("direct", nullcontext()),
        "fast": ("fast", nullcontext()),
    }
    head(
        "fit, 96 x 1 s, 96 steps",
        "threads",
        *(f"{name}, s" for name in forms),
        *(f"{x} / fast" for x in list(forms)[:3]),
    )
    X, y = noise(96, 1.0).numpy(), np.arange(96) % 4
    # The first optimiser of a process imports torch's compiler, for a second.
    LeafTransformer(max_steps=1, compression_search=False, device=options.device).fit(X, y)
    for n_threads in options.threads:
        torch.set_num_threads(n_threads)
        seconds = []
        for algorithm, form in forms.values():
            transformer = LeafTransformer(
                algorithm=algorithm, max_steps=96, compression_search=False, device=options.device, random_state=0
            )
            with form:
                start = time.perf_counter()
                transformer.fit(X, y)
                seconds.append(time.perf_counter() - start)
        ratios = (f"{value / seconds[3]:.1f}" for value in seconds[:3])
        row("", n_threads, *(f"{value:.1f}" for value in seconds), *ratios)


def parameter_table(options: argparse.Namespace) -> None:
    """Leaf's energies for other parameters than those of the start."""
    n_clips = 1 if options.device == "cpu" else 50
    head(f"leaf, {n_clips} x 10 s", "nodes a hop", "ms", "GFLOP/s", "GB/s")
    torch.set_num_threads(options.threads[0])
    generator = torch.Generator().manual_seed(0)
    low, high = sigma_limits(KERNEL_SIZE)
    start = leaf("fast", "cpu")
    center, sigma, width = parameters(start)
    moved = sigma * torch.exp(0.4 * torch.randn(N_FILTERS, generator=generator))
    anywhere = low * (high / low) ** torch.rand(N_FILTERS, generator=generator)
    clips = noise(n_clips, 10.0, options.device)
    for name, sigmas in {"start": sigma, "sigmas moved by e^0.4": moved, "any sigma": anywhere}.items():
        values = [value.to(options.device) for value in (center, sigmas.clamp(low, high), width)]
        plan = plan_of(options, *values)
        bands = prepare_bands(*values, plan, dtype=torch.float32)
        with torch.inference_mode():
            seconds = timed({"": partial(pooled_energies, clips, None, bands)}, options)[""]
        nodes = plan.rates.sum()
        # A node takes part in an FFT (5 log2 M), a product (2), a square (2) and the sums of four frames (16), and is
        # written and read by each of these.
        flops = sum(
            group.rate * len(group.filters) * (5 * math.log2(group.rate * plan.cells) + 20) for group in plan.groups
        )
        hops = n_clips * 1000 * plan.cells / plan.valid
        row(
            name,
            nodes,
            f"{1e2 * seconds / n_clips:.3g}",
            *(f"{hops * x / seconds / 1e9:.1f}" for x in (flops, 64 * nodes)),
        )
    square = torch.randn(2048, 2048, device=options.device)
    block = torch.randn(2**25, device=options.device)
    copy = torch.empty_like(block)
    limits = timed({"product": lambda: square @ square, "copy": lambda: copy.copy_(block)}, options)
    gflops, gbytes = 2 * 2048**3 / limits["product"] / 1e9, 2 * block.nbytes / limits["copy"] / 1e9
    row("limits: matrix product, copy", "", "", f"{gflops:.0f}", f"{gbytes:.0f}")


def bank_table(options: argparse.Namespace) -> None:
    """Frontends with other kernels."""
    head("frontend", "threads", "clips", "conv1d", "direct", "fast", "conv1d / fast", "direct / fast")
    for n_threads in options.threads:
        torch.set_num_threads(n_threads)
        for name in ("td-fbanks", "sincnet", "sincnet+"):
            made = {
                algorithm: make_frontend(name, algorithm=algorithm).to(options.device)
                for algorithm in ("direct", "fast")
            }
            for batch, (n_clips, seconds) in batches(options).items():
                clips = noise(n_clips, seconds, options.device)
                methods: Methods = {"conv1d": partial(conv1d_features, clips, made["fast"])}
                methods |= {algorithm: partial(each, clips) for algorithm, each in made.items()}
                with torch.inference_mode():
                    times = timed(methods, options)
                per_second = [f"{1e3 * value / n_clips / seconds:.3g}" for value in times.values()]
                ratios = (ratio(times[key], times["fast"]) for key in ("conv1d", "direct"))
                row(name, n_threads, batch, *per_second, *ratios)


def length_table(options: argparse.Namespace) -> None:
    """One clip through LeafTransformer.transform, and the memory that it takes above its input."""
    torch.set_num_threads(options.threads[0])
    transformer = LeafTransformer(device=options.device).fit(noise(2, 1.0).numpy())
    head("transform of one clip", "ms a call", "ms a second", "peak memory above the input, MB")
    for seconds in LENGTHS_S:
        clip = noise(1, seconds).numpy()[0]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rounds = argparse.Namespace(rounds=1 if seconds > 60 else options.rounds, device=options.device)
        spent = timed({"": partial(transformer.transform, [clip])}, rounds)[""]
        above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        row(f"{seconds:g} s", f"{1e3 * spent:.2f}", f"{1e3 * spent / seconds:.3f}", f"{above:.0f}")


def graph_table(options: argparse.Namespace) -> None:
    """Small batches on a GPU, kernel by kernel and as one CUDA graph."""
    if options.device == "cpu":
        return
    head("leaf, small batches", "ms a call", "ms a call as a graph")
    frontend = leaf("fast", options.device)
    for n_clips, seconds in ((1, 1.0), (8, 1.0), (1, 10.0)):
        clips = noise(n_clips, seconds, options.device)
        captured = CapturedFrontend(frontend, *clips.shape, device=options.device)
        with torch.no_grad():
            times = timed({"launched": partial(frontend, clips), "captured": partial(captured, clips)}, options)
        row(f"{n_clips} x {seconds:g} s", *(f"{1e3 * value:.3f}" for value in times.values()))


def draw(path: Path, options: argparse.Namespace) -> None:
    """How times scale with clip length, batch, filters and threads."""
    from matplotlib.figure import Figure

    lengths, sizes, filters = [0.3, 1.0, 3.0, 10.0, 30.0], [1, 2, 4, 8, 16, 32], [10, 20, 40, 80, 160]
    at_once = 16
    if options.device != "cpu":
        lengths, sizes, at_once = [*lengths, 100.0, 500.0], [1, 4, 16, 64, 256, 512], 256
    panels = {
        "length of one clip (s)": [(length, (1, length, N_FILTERS, options.threads[0])) for length in lengths],
        "clips of 1 s in a batch": [(batch, (batch, 1.0, N_FILTERS, options.threads[0])) for batch in sizes],
        f"filters ({at_once} clips of 1 s)": [(count, (at_once, 1.0, count, options.threads[0])) for count in filters],
    }
    if options.device == "cpu":
        panels["threads (16 clips of 1 s)"] = [(count, (16, 1.0, N_FILTERS, count)) for count in options.threads]
    n_rows, n_columns = (2, 2) if len(panels) == 4 else (1, 3)
    figure = Figure(figsize=(5.5 * n_columns, 3.5 * n_rows), layout="constrained")
    colours = {
        "conv1d": "#D55E00",
        "conv1d, no denormals": "#E69F00",
        "fast": "#0072B2",
        "torch log-mel, 40 bands": "#777777",
    }
    grid = figure.subplots(n_rows, n_columns).ravel()
    for axes, (title, points) in zip(grid, panels.items(), strict=True):
        lines: dict[str, list[float]] = {name: [] for name in colours}
        for _, (n_clips, seconds, n_filters, n_threads) in points:
            torch.set_num_threads(n_threads)
            clips = noise(n_clips, seconds, options.device)
            frontend = leaf("fast", options.device, n_filters=n_filters)
            direct = [partial(direct_energies, clips, frontend, denormals=each) for each in (True, False)]
            methods = (*direct, partial(frontend.energies, clips))
            with torch.inference_mode():
                every = dict(zip(colours, (*methods, partial(torch_mel(options.device), clips)), strict=True))
                times = timed(every, argparse.Namespace(rounds=3, device=options.device))
            for name, value in times.items():
                lines[name].append(1e3 * value / n_clips / seconds)
        for name, values in lines.items():
            axes.plot([x for x, _ in points], values, marker="o", color=colours[name], label=name)
        axes.set(xlabel=title, ylabel="ms per second of audio", xscale="log", yscale="log")
        axes.set_xticks([x for x, _ in points], [f"{x:g}" for x, _ in points], minor=False)
        axes.minorticks_off()
        axes.grid(axis="y", color="#dddddd")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.suptitle("LEAF's energies: cost of a second of audio at 16 kHz")
    figure.savefig(path, dpi=110)


def head(*cells: object) -> None:
    print()
    row(*cells)
    print("|" + "---|" * len(cells))


def row(*cells: object) -> None:
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


def machine(device: str) -> str:
    if device != "cpu":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line]
    name = names[0] if names else platform.processor()
    return f"{name}, {len(names)} cores, {torch.backends.cpu.get_cpu_capability()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    versions = f"torch {torch.__version__}, numpy {np.__version__}, librosa {librosa.__version__}"
    print(f"{machine(options.device)}; {versions}")
    for table in (leaf_table, training_table, fit_table, parameter_table, bank_table, length_table, graph_table):
        table(options)
    if options.picture:
        draw(options.picture, options)


if __name__ == "__main__":
    main()
