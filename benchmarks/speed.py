"""Time LEAF energies: the fast form, the direct convolution, and log-mel spectrograms of torch and librosa.

    python benchmarks/speed.py [--rounds 5] [--threads 1 2] [--device cpu]

All times are milliseconds per second of audio at 16 kHz, medians over rounds; a round runs every method once, so that
ratios hold on a busy machine too. The filters are those of the usual start (40 on the mel scale, 25 ms windows, 10 ms
hop). "Prepared" leaves out what is computed once for a set of filters.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial

import librosa
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from leaf_sklearn.dsp.bandlimited import bandlimited_energies, plan_bands, pooled_energies, prepare_bands
from leaf_sklearn.dsp.bands import FilterRange, matrix_bands, scale_matrix
from leaf_sklearn.dsp.kernels import SIGMA_UNIT, gabor_kernels, gaussian_lowpass, sigma_limits

SAMPLE_RATE, KERNEL_SIZE, HOP, N_FFT, N_FILTERS = 16000, 401, 160, 512, 40
SPAN = FilterRange(N_FILTERS, SAMPLE_RATE, 60.0, 7800.0)
BATCHES = {"16 x 1 s": (16, 1.0), "1 x 10 s": (1, 10.0)}
LENGTHS_S = (0.3, 1.0, 3.0, 10.0, 60.0, 300.0, 3600.0)


def usual_start(device: str) -> list[Tensor]:
    """Centres (rad/sample), sigmas (samples) and pooling widths."""
    bands = matrix_bands(scale_matrix("mel", SPAN, n_fft=N_FFT), sample_rate=SAMPLE_RATE)
    sigma = np.clip(SIGMA_UNIT * np.sqrt(0.5) * SAMPLE_RATE / bands.bandwidth, *sigma_limits(KERNEL_SIZE))
    values = [2 * np.pi * bands.center / SAMPLE_RATE, sigma, np.full(N_FILTERS, 0.4)]
    return [torch.tensor(value, dtype=torch.float32, device=device) for value in values]


def direct_energies(waveforms: Tensor, center: Tensor, sigma: Tensor, width: Tensor) -> Tensor:
    """Stride-1 convolution, squared modulus, grouped pooling."""
    kernels = gabor_kernels(center, sigma, kernel_size=KERNEL_SIZE)
    response = functional.conv1d(waveforms[:, None], kernels[:, None], padding=KERNEL_SIZE // 2)
    energies = response[:, :N_FILTERS] ** 2 + response[:, N_FILTERS:] ** 2
    missing = max((-(-waveforms.shape[1] // HOP) - 1) * HOP + KERNEL_SIZE - waveforms.shape[1], 0)
    padded = functional.pad(energies, (missing // 2, missing - missing // 2))
    windows = gaussian_lowpass(width, kernel_size=KERNEL_SIZE)
    return functional.conv1d(padded, windows[:, None], stride=HOP, groups=N_FILTERS)


def torch_mel(device: str) -> Callable[[Tensor], Tensor]:
    window = torch.hann_window(KERNEL_SIZE - 1, device=device)
    matrix = torch.tensor(scale_matrix("mel", SPAN, n_fft=N_FFT), dtype=torch.float32, device=device)

    def log_mel(waveforms: Tensor) -> Tensor:
        spectrum = torch.stft(waveforms, N_FFT, HOP, KERNEL_SIZE - 1, window, return_complex=True)
        return torch.log(matrix @ torch.view_as_real(spectrum).square().sum(-1) + 1e-5)

    return log_mel


def librosa_mel(waveforms: Tensor) -> np.ndarray:
    clips = waveforms.cpu().numpy()
    options = {"n_fft": N_FFT, "hop_length": HOP, "win_length": KERNEL_SIZE - 1, "n_mels": N_FILTERS}
    return np.stack(
        [np.log(librosa.feature.melspectrogram(y=clip, sr=SAMPLE_RATE, **options) + 1e-5) for clip in clips]
    )


def timed(methods: dict[str, Callable[[], object]], options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each method, one call each in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(options.rounds + 1):
        for name, method in methods.items():
            start = time.perf_counter()
            method()
            if options.device != "cpu":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def training_step(energies: Callable[..., Tensor], waveforms: Tensor, parameters: list[Tensor]) -> None:
    leaves = [parameter.clone().requires_grad_() for parameter in parameters]
    torch.autograd.grad(torch.log(energies(waveforms, *leaves) + 1e-3).sum(), leaves)


def fast_energies(waveforms: Tensor, center: Tensor, sigma: Tensor, width: Tensor) -> Tensor:
    values = [value.detach().cpu().numpy() for value in (center, sigma, width)]
    plan = plan_bands(*values, kernel_size=KERNEL_SIZE, hop=HOP)
    return bandlimited_energies(waveforms, None, center, sigma, width, plan)


def noise(n_clips: int, seconds: float, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_clips, round(seconds * SAMPLE_RATE), generator=generator).to(device)


def inference_table(parameters: list[Tensor], options: argparse.Namespace) -> None:
    plan = plan_bands(*(value.cpu().numpy() for value in parameters), kernel_size=KERNEL_SIZE, hop=HOP)
    bands = prepare_bands(*parameters, plan, dtype=torch.float32)
    log_mel = torch_mel(options.device)
    nodes = sum(group.rate * len(group.filters) for group in plan.groups)
    print(f"{nodes} nodes a hop in {len(plan.groups)} groups\n")
    columns = ["ms per second of audio", "threads", "direct", "fast, prepared", "fast", "torch log-mel"]
    print_row([*columns, "librosa log-mel", "direct / prepared", "prepared / torch log-mel"], head=True)
    for n_threads in options.threads:
        torch.set_num_threads(n_threads)
        for name, (n_clips, seconds) in BATCHES.items():
            waveforms = noise(n_clips, seconds, options.device)
            methods = {
                "direct": partial(direct_energies, waveforms, *parameters),
                "prepared": partial(pooled_energies, waveforms, None, bands),
                "fast": partial(fast_energies, waveforms, *parameters),
                "mel": partial(log_mel, waveforms),
                "librosa": partial(librosa_mel, waveforms),
            }
            with torch.no_grad():
                times = timed(methods, options)
            ratios = [f"{times['direct'] / times['prepared']:.0f}", f"{times['prepared'] / times['mel']:.1f}"]
            print_row([name, n_threads, *(f"{1e3 * t / n_clips / seconds:.3f}" for t in times.values()), *ratios])


def training_table(parameters: list[Tensor], options: argparse.Namespace) -> None:
    print()
    print_row(["training step, 32 x 1.5 s: ms per second", "threads", "direct", "fast", "direct / fast"], head=True)
    waveforms = noise(32, 1.5, options.device)
    for n_threads in options.threads:
        torch.set_num_threads(n_threads)
        steps = {"direct": direct_energies, "fast": fast_energies}
        times = timed(
            {name: partial(training_step, step, waveforms, parameters) for name, step in steps.items()}, options
        )
        per_second = [f"{1e3 * t / 48:.2f}" for t in times.values()]
        print_row(["", n_threads, *per_second, f"{times['direct'] / times['fast']:.0f}"])


def length_table(parameters: list[Tensor], options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads[0])
    plan = plan_bands(*(value.cpu().numpy() for value in parameters), kernel_size=KERNEL_SIZE, hop=HOP)
    bands = prepare_bands(*parameters, plan, dtype=torch.float32)
    print()
    print_row([f"one clip, threads: {options.threads[0]}", "ms a call", "ms per second"], head=True)
    for seconds in LENGTHS_S:
        with torch.no_grad():
            times = timed({"fast": partial(pooled_energies, noise(1, seconds, options.device), None, bands)}, options)
        print_row([f"{seconds} s", f"{1e3 * times['fast']:.2f}", f"{1e3 * times['fast'] / seconds:.3f}"])


def print_row(cells: list[object], *, head: bool = False) -> None:
    print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)
    if head:
        print("|" + "---|" * len(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    print(f"{platform.machine()}, torch {torch.__version__}, librosa {librosa.__version__}, {options.device}")
    parameters = usual_start(options.device)
    inference_table(parameters, options)
    training_table(parameters, options)
    length_table(parameters, options)


if __name__ == "__main__":
    main()
