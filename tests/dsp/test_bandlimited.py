import dataclasses
import math

import numpy as np
import pytest
import soundfile
import torch
from helpers import TASKS, needs_tasks

from leaf_sklearn.dsp import bandlimited
from leaf_sklearn.dsp.band_plan import SIDE_LOBE, SIDE_LOBE_AT_ONCE, SIDE_LOBE_IN_TRAINING, plan_bands, plan_kernels
from leaf_sklearn.dsp.band_weights import prepare_bands, prepare_kernels
from leaf_sklearn.dsp.bandlimited import _leaked, pooled_energies
from leaf_sklearn.dsp.bands import FilterRange, matrix_bands, scale_matrix
from leaf_sklearn.dsp.kernels import SIGMA_UNIT, gabor_kernels, gaussian_lowpass, sigma_limits
from leaf_sklearn.dsp.smoothing import exponential_moving_average

RATE = 16000
GEOMETRIES = [(401, 160), (201, 80), (401, 80), (552, 220), (401, 147), (401, 500), (25, 10), (24, 7), (25, 1)]


def direct_energies(waveforms, center, sigma, width, *, kernel_size, hop):
    """The definition: convolution at stride 1, squared modulus, pooling at the hop, all with zero padding."""
    kernels = gabor_kernels(center, sigma, kernel_size=kernel_size)
    windows = gaussian_lowpass(width, kernel_size=kernel_size)
    return convolved_energies(waveforms, *kernels.chunk(2), windows, hop=hop)


def convolved_energies(waveforms, real, imaginary, windows, *, hop, padding="same"):
    kernel_size, n_times = real.shape[1], waveforms.shape[1]
    left = (kernel_size - 1) // 2
    padded = torch.nn.functional.pad(waveforms, (left, kernel_size - 1 - left))[:, None]
    energies = sum(torch.nn.functional.conv1d(padded, part[:, None]) ** 2 for part in (real, imaginary))
    missing = max((-(-n_times // hop) - 1) * hop + kernel_size - n_times, 0) if padding == "same" else 0
    energies = torch.nn.functional.pad(energies, (missing // 2, missing - missing // 2))
    return torch.nn.functional.conv1d(energies, windows[:, None], stride=hop, groups=len(real))


def mel_parameters(kernel_size=401, sample_rate=RATE, n_filters=40):
    """The usual start."""
    span = FilterRange(n_filters, sample_rate, 60.0, 0.4875 * sample_rate)
    bands = matrix_bands(scale_matrix("mel", span, n_fft=512), sample_rate=sample_rate)
    center = torch.from_numpy(2 * np.pi * bands.center / sample_rate)
    sigma = torch.from_numpy(SIGMA_UNIT * np.sqrt(0.5) * sample_rate / bands.bandwidth)
    return center, sigma.clamp(*sigma_limits(kernel_size)), torch.full_like(center, 0.4)


def random_parameters(n_filters, kernel_size, seed):
    """Anything that the constraints allow, the ends of the ranges among it."""
    generator = torch.Generator().manual_seed(seed)
    low, high = sigma_limits(kernel_size)
    center, sigma, width = torch.rand(3, n_filters, dtype=torch.float64, generator=generator)
    center[:2], sigma[2:4] = torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])
    width[4:6] = torch.tensor([0.0, 1.0])
    return center * math.pi, low * (high / low) ** sigma, 2 / kernel_size * (kernel_size / 4) ** width


def trained_parameters(seed=0):
    """As after training: some filters moved, narrowed and widened."""
    generator = torch.Generator().manual_seed(seed)
    center, sigma, width = mel_parameters()
    moves = torch.randn(3, len(center), dtype=torch.float64, generator=generator)
    center = (center + 0.02 * moves[0]).clamp(0, math.pi)
    return (
        center,
        (sigma * torch.exp(0.4 * moves[1])).clamp(*sigma_limits(401)),
        width * torch.exp(0.3 * moves[2].clamp(max=0.7)),
    )


PARAMETERS = {
    "init": mel_parameters,
    "trained": trained_parameters,
    "random": lambda: random_parameters(40, 401, 0),
    "other random": lambda: random_parameters(40, 401, 1),
}


IN_TRAINING = {"side_lobe": SIDE_LOBE_IN_TRAINING, "second_side_lobe": None}


def signals(n_times=4800):
    """Noise, tones, beats, a chirp, impulses, an onset after silence, and silence."""
    t = torch.arange(n_times, dtype=torch.float64)
    noise = torch.randn(n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    impulses = torch.zeros(n_times, dtype=torch.float64)
    impulses[[0, 1000, 4001, n_times - 1]] = 1.0
    tone = torch.sin(2 * math.pi * 1000 / RATE * t)
    return torch.stack(
        [
            noise,
            tone,
            torch.sin(2 * math.pi * 150 / RATE * t),
            tone + torch.sin(2 * math.pi * 1030 / RATE * t),
            torch.sin(2 * math.pi * 440 / RATE * t) + torch.sin(2 * math.pi * 5000 / RATE * t),
            torch.sin(math.pi * 0.4 * t**2 / n_times),
            impulses,
            noise * (t > n_times // 2),
            torch.zeros_like(t),
        ]
    )


def neighbourhood(energies):
    """Loudest filter of each frame, the one before and the one after: (B, F, T) -> (B, 1, T)."""
    return torch.nn.functional.max_pool1d(energies.amax(1, keepdim=True), 3, stride=1, padding=1)


def bandlimited_energies(waveforms, lengths, center, sigma, width, plan):
    return pooled_energies(waveforms, lengths, prepare_bands(center, sigma, width, plan, dtype=waveforms.dtype))


def fast_energies(waveforms, lengths, parameters, kernel_size=401, hop=160, **options):
    plan = plan_bands(*parameters, kernel_size=kernel_size, hop=hop, **options)
    return bandlimited_energies(waveforms, lengths, *parameters, plan)


@pytest.mark.parametrize("few_groups", [False, True])
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_equals_convolution(parameters, few_groups):
    values = PARAMETERS[parameters]()
    expected = direct_energies(signals(), *values, kernel_size=401, hop=160)
    for dtype in (torch.float32, torch.float64):
        energies = fast_energies(signals().to(dtype), None, values, few_groups=few_groups)
        assert energies.dtype == dtype
        assert energies.shape == expected.shape
        assert (energies >= 0).all()
        error = (energies - expected).abs()
        assert (error <= 1e-5 * expected.amax((1, 2), keepdim=True)).all()
        # Where digital silence borders on sound, frames two further on hear what the band's ends ring by.
        assert (error[:6] <= 2e-6 * neighbourhood(expected[:6])).all()
        assert (energies[-1] == 0).all()


@pytest.mark.parametrize("parameters", ["init", "random"])
def test_impulses_at_the_ends_of_a_clip(parameters):
    """Where a sound begins or ends with the clip, the squared envelope is cut off between nodes."""
    values = PARAMETERS[parameters]()
    for rest in range(0, 160, 16):
        waveforms = torch.zeros(2, 2400 + rest, dtype=torch.float64)
        waveforms[0, 0] = waveforms[1, -1] = 1.0
        expected = direct_energies(waveforms, *values, kernel_size=401, hop=160)
        error = (fast_energies(waveforms.float(), None, values) - expected).abs()
        assert (error <= 1e-4 * expected.amax((1, 2), keepdim=True)).all()


@pytest.mark.parametrize("n_times", [1, 2, 100, 160, 161, 199, 200, 201, 320, 401, 640, 1600])
@pytest.mark.parametrize("parameters", ["init", "random"])
def test_short_clips(parameters, n_times):
    values = PARAMETERS[parameters]()
    waveforms = torch.randn(2, n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(n_times))
    expected = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    error = (fast_energies(waveforms.float(), None, values) - expected).abs()
    # An onset and an end in one window are interpolated less well.
    tolerance = 1e-5 if n_times > 401 else 2e-4
    assert (error <= tolerance * expected.amax((1, 2), keepdim=True)).all()


@pytest.mark.parametrize(("kernel_size", "hop"), GEOMETRIES)
def test_every_window_and_hop(kernel_size, hop):
    values = random_parameters(8, kernel_size, seed=3)
    plan = plan_bands(*values, kernel_size=kernel_size, hop=hop)
    for n_times in (hop, 3 * kernel_size + 1, plan.valid * hop * 2 + 17):
        waveforms = torch.randn(2, n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        expected = direct_energies(waveforms, *values, kernel_size=kernel_size, hop=hop)
        energies = bandlimited_energies(waveforms, None, *values, plan)
        assert energies.shape == expected.shape
        assert ((energies - expected).abs() <= 1e-5 * expected.amax((1, 2), keepdim=True)).all()


@pytest.mark.parametrize("kernel_size", [401, 400])
def test_plan_may_be_stale(kernel_size):
    values = [value.float() for value in random_parameters(8, kernel_size, seed=4)]
    plan = plan_bands(*values, kernel_size=kernel_size, hop=160)
    center, sigma, width = values[0] * 0.999 + 1e-3, values[1].clamp(max=140) * 1.01, values[2]
    waveforms = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    expected = direct_energies(waveforms, center, sigma, width, kernel_size=kernel_size, hop=160)
    energies = bandlimited_energies(waveforms, None, center, sigma, width, plan)
    assert ((energies - expected).abs() <= 1e-5 * expected.amax((1, 2), keepdim=True)).all()


def assert_rows_stand_alone(waveforms, lengths, bands):
    """Each clip's frames are, bit for bit, those of the clip alone, whatever it is batched and padded with."""
    together = pooled_energies(waveforms, lengths, bands)
    backwards = pooled_energies(waveforms.flip(0), lengths.flip(0), bands).flip(0)
    for row, length in enumerate(lengths.tolist()):
        clip, n_frames = waveforms[row : row + 1, :length], -(-length // bands.plan.hop)
        padded = torch.nn.functional.pad(clip, (0, 5000), value=math.nan)
        alone = pooled_energies(clip, None, bands)
        assert alone.shape[-1] == n_frames
        assert torch.equal(together[row : row + 1, :, :n_frames], alone)
        assert torch.equal(backwards[row : row + 1, :, :n_frames], alone)
        assert torch.equal(pooled_energies(padded, lengths[row : row + 1], bands)[..., :n_frames], alone)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("parameters", ["init", "random"])
def test_clips_do_not_depend_on_their_batch(parameters, n_threads):
    previous = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        values = PARAMETERS[parameters]()
        plan = plan_bands(*values, kernel_size=401, hop=160)
        lengths = torch.tensor([9000, 1, 160, 161, 4000, 402, 12345, 12000, 8000, 900, 1120, 1599, 2100])
        waveforms = torch.randn(len(lengths), 12345, generator=torch.Generator().manual_seed(0))
        for row, length in enumerate(lengths):
            waveforms[row, length:] = math.nan
        assert_rows_stand_alone(waveforms, lengths, prepare_bands(*values, plan, dtype=torch.float32))
    finally:
        torch.set_num_threads(previous)


@pytest.mark.parametrize("rows", [*range(1, 12), 40])
def test_estimates_do_not_depend_on_what_follows(rows):
    plan = plan_bands(*mel_parameters(), kernel_size=401, hop=160)
    generator = torch.Generator().manual_seed(0)
    leaks, energies = torch.rand(rows, 40, generator=generator), torch.rand(3, 40, 30, generator=generator)
    for n_frames in range(1, 30):
        lengths = torch.tensor([n_frames] * 3)
        padded = _leaked(energies, lengths, plan, leaks)[..., :n_frames]
        assert torch.equal(_leaked(energies[..., :n_frames], n_frames, plan, leaks), padded)


def test_even_kernels_do_not_depend_on_their_batch():
    values = random_parameters(8, 24, seed=3)
    lengths = torch.tensor([300, 1, 7, 40, 299])
    waveforms = torch.randn(len(lengths), 300, generator=torch.Generator().manual_seed(0))
    plan = plan_bands(*values, kernel_size=24, hop=7)
    assert_rows_stand_alone(waveforms, lengths, prepare_bands(*values, plan, dtype=torch.float32))


@pytest.mark.parametrize("kernel_size", [25, 24])
def test_long_clips_are_done_in_parts(kernel_size, monkeypatch):
    values = random_parameters(6, kernel_size, seed=0)
    plan = plan_bands(*values, kernel_size=kernel_size, hop=10)
    bands = prepare_bands(*values, plan, dtype=torch.float32)
    n_times = 5 * plan.valid * plan.hop
    waveforms = torch.randn(3, n_times, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([n_times, n_times // 3, n_times - plan.valid * plan.hop - 3])
    at_once = pooled_energies(waveforms, lengths, bands)
    sizes = []

    def block_energies(spectrum, *arguments):
        sizes.append(len(spectrum))
        return bandlimited_block_energies(spectrum, *arguments)

    bandlimited_block_energies = bandlimited.block_energies
    monkeypatch.setattr(bandlimited, "block_energies", block_energies)
    for n_blocks in (2, 3):
        monkeypatch.setattr(bandlimited, "BLOCKS_CPU", n_blocks)
        assert torch.equal(pooled_energies(waveforms, lengths, bands), at_once)
        assert max(sizes) <= n_blocks


@pytest.mark.parametrize("lengths", [None, [9000, 500, 30]])
def test_no_step_asks_another_device_for_a_number(lengths):
    values = random_parameters(8, 401, seed=1)
    plan = plan_bands(*values, kernel_size=401, hop=160)
    lengths = None if lengths is None else torch.tensor(lengths, device="meta")  # it has none
    values = [value.float().to("meta").requires_grad_() for value in values]
    energies = bandlimited_energies(torch.empty(3, 9000, device="meta"), lengths, *values, plan)
    energies.sum().backward()
    with torch.no_grad():
        frozen = bandlimited_energies(torch.empty(3, 9000, device="meta"), lengths, *values, plan)
    assert energies.shape == frozen.shape == (3, 8, 57)
    assert all(value.grad.device.type == "meta" for value in values)


@pytest.mark.parametrize("kernel_size", [25, 24])
def test_gradients(kernel_size):
    generator = torch.Generator().manual_seed(0)
    center, sigma, width = random_parameters(6, kernel_size, seed=5)
    # Away from the ends of the range, where the width is clipped.
    values = [center, sigma, width.clamp(2.1 / kernel_size, 0.49)]
    plan = plan_bands(*values, kernel_size=kernel_size, hop=7)
    assert len(plan.groups) > 1
    waveforms = torch.randn(2, 100, dtype=torch.float64, generator=generator)
    lengths = torch.tensor([100, 61])

    def energies(*inputs):
        return bandlimited_energies(inputs[0], lengths, *inputs[1:], plan)[..., : -(-61 // 7)]

    leaves = [value.requires_grad_() for value in (waveforms, *values)]
    assert torch.autograd.gradcheck(energies, leaves, fast_mode=True)


@pytest.mark.parametrize("parameters", ["init", "random"])
def test_gradients_equal_those_of_convolution(parameters):
    values = [value.requires_grad_() for value in PARAMETERS[parameters]()]
    waveforms = torch.randn(2, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    exact = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    expected = torch.autograd.grad(exact.add(1e-3).log().sum(), [waveforms, *values])
    energies = fast_energies(waveforms, None, [value.detach() for value in values])
    plan = plan_bands(*(value.detach() for value in values), kernel_size=401, hop=160)
    for dtype in (torch.float32, torch.float64):
        energies = bandlimited_energies(waveforms.to(dtype), None, *values, plan)
        gradients = torch.autograd.grad(energies.add(1e-3).log().sum(), [waveforms, *values])
        for ours, theirs in zip(gradients, expected, strict=True):
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("sigma", [1.5, 3.0, 5.0, 5.25, 5.3, 6.0, 20.0, 150.0])  # kernels end at 1e-308 at 5.3
def test_gradients_of_a_lone_filter(sigma):
    values = [torch.tensor([value], dtype=torch.float64).requires_grad_() for value in (1.5, sigma, 0.4)]
    plan = plan_bands(*(value.detach() for value in values), kernel_size=401, hop=160)
    exact = direct_energies(signals()[:1], *values, kernel_size=401, hop=160)
    energies = bandlimited_energies(signals()[:1].float(), None, *values, plan)
    expected = torch.autograd.grad(exact.add(1e-3).log().sum(), values)
    for ours, theirs in zip(torch.autograd.grad(energies.add(1e-3).log().sum(), values), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=0)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_training_needs_fewer_nodes(parameters):
    values = [value.requires_grad_() for value in PARAMETERS[parameters]()]
    numbers = [value.detach().numpy() for value in values]
    plan, closer = (
        plan_bands(*numbers, kernel_size=401, hop=160, side_lobe=side_lobe, second_side_lobe=None)
        for side_lobe in (SIDE_LOBE_IN_TRAINING, SIDE_LOBE_AT_ONCE)
    )
    n_nodes, n_exact = (sum(group.rate * len(group.filters) for group in each.groups) for each in (plan, closer))
    assert n_nodes < 0.9 * n_exact
    exact = direct_energies(signals(), *values, kernel_size=401, hop=160)
    energies = bandlimited_energies(signals().float(), None, *values, plan)
    error = (energies - exact).abs()
    assert (error <= 1e-5 * exact.amax((1, 2), keepdim=True)).all()
    assert (error[:6] <= 1e-5 * neighbourhood(exact[:6])).all()
    expected = torch.autograd.grad(exact[0].add(1e-3).log().sum(), values)
    gradients = torch.autograd.grad(energies[0].add(1e-3).log().sum(), values)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert (ours - theirs).abs().max() <= 5e-3 * theirs.abs().max()


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_groups_may_be_few(parameters):
    values = PARAMETERS[parameters]()
    plan = plan_bands(*values, kernel_size=401, hop=160, few_groups=True)
    assert sorted(plan.order) == list(range(len(values[0])))
    assert len(plan.groups) <= len(plan_bands(*values, kernel_size=401, hop=160).groups) / 2
    assert len(plan_kernels(40, kernel_size=401, hop=160, padding="same", few_groups=True).groups) == 1


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel_size", "hop"), [(25, 10), (24, 7)])
def test_kernels_of_any_shape(kernel_size, hop, padding):
    generator = torch.Generator().manual_seed(0)
    real, imaginary, windows = torch.randn(3, 5, kernel_size, dtype=torch.float64, generator=generator)
    waveforms = torch.randn(2, 700, dtype=torch.float64, generator=generator)
    leaves = [value.requires_grad_() for value in (waveforms, real, imaginary, windows)]
    plan = plan_kernels(5, kernel_size=kernel_size, hop=hop, padding=padding)
    bands = prepare_kernels(torch.complex(real, imaginary), windows, plan)
    expected = convolved_energies(*leaves, hop=hop, padding=padding)
    energies = pooled_energies(waveforms, None, bands)
    # Windows of either sign give energies that no Gaussian would.
    expected = expected.clamp(min=0)
    torch.testing.assert_close(energies, expected, rtol=1e-9, atol=1e-9)
    gradients = torch.autograd.grad(energies.square().sum(), leaves)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected.square().sum(), leaves), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * theirs.abs().max().item())


def test_free_kernels_do_not_depend_on_their_batch():
    generator = torch.Generator().manual_seed(0)
    real, imaginary, windows = torch.randn(3, 5, 25, generator=generator)
    plan = plan_kernels(5, kernel_size=25, hop=10, padding="same")
    lengths = torch.tensor([300, 1, 7, 40, 299])
    waveforms = torch.randn(len(lengths), 300, generator=generator)
    assert_rows_stand_alone(waveforms, lengths, prepare_kernels(torch.complex(real, imaginary), windows, plan))


def test_runs_without_data():
    plan = plan_bands(*mel_parameters(), kernel_size=401, hop=160)
    values = [torch.empty(40, device="meta") for _ in range(3)]
    waveforms, lengths = torch.empty(3, 16000, device="meta"), torch.empty(3, dtype=torch.int64, device="meta")
    assert bandlimited_energies(waveforms, lengths, *values, plan).shape == (3, 40, 100)


def test_wide_filters_need_fewer_nodes():
    rates = []
    for sigma in (3.0, 10.0, 30.0):
        plan = plan_bands([1.0], [sigma], [0.4], kernel_size=401, hop=160)
        rates.append(plan.groups[0].rate)
        # Half the bins left out would cost more than what the nodes can hold.
        assert math.exp(-0.5 * (math.pi * plan.groups[0].rate / 160 * sigma) ** 2) < 1e-6
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("side_lobe", [SIDE_LOBE, SIDE_LOBE_AT_ONCE])
def test_side_lobes_left_out_are_estimated(side_lobe):
    """Low filters that hear nothing but side lobes of noise far above: the estimate takes off most of the error."""
    values = mel_parameters()
    spectrum = torch.fft.rfft(signals(16000)[0])
    spectrum[: 5 * len(spectrum) // 8] = 0  # below 5 kHz
    waveforms = torch.fft.irfft(spectrum)[None]
    plan = plan_bands(*values, kernel_size=401, hop=160, side_lobe=side_lobe, second_side_lobe=None)
    without = dataclasses.replace(plan, leaks=None)
    exact = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    errors = [bandlimited_energies(waveforms, None, *values, each) - exact for each in (plan, without)]
    quiet = slice(1, 6)
    away = slice(4, -4)  # from the clip's ends, where the noise begins and stops
    left, dropped = (error[0, quiet, away].mean(-1).abs() for error in errors)
    assert (left < 0.5 * dropped).all()
    assert (plan.leaks >= 0).all()
    nothing_left = [index for group in plan.groups if group.rate == 160 for index in group.filters]
    assert (plan.leaks[nothing_left] == 0).all()
    assert len(nothing_left) == (side_lobe == SIDE_LOBE_AT_ONCE)


@pytest.mark.parametrize("parameters", ["init", "trained"])
def test_clips_with_nothing_but_side_lobes_take_a_second_look(parameters):
    """On their own and in a batch, padded or not; other clips, and filters of which little is left out, do not."""
    values = PARAMETERS[parameters]()
    noise = signals(16000)[0]
    spectrum = torch.fft.rfft(noise)
    spectrum[:3000], spectrum[4000:] = 0, 0
    band = torch.fft.irfft(spectrum)
    waveforms = torch.stack([noise, band, noise.flip(0), band.flip(0)])
    lengths = torch.tensor([16000, 16000, 9000, 12345])
    plan = plan_bands(*values, kernel_size=401, hop=160)
    once = plan_bands(*values, kernel_size=401, hop=160, second_side_lobe=None)
    bands = prepare_bands(*values, plan, dtype=torch.float32)
    first, second = (bandlimited_energies(waveforms.float(), lengths, *values, each) for each in (once, plan))
    filters = plan.second[0]
    assert 0 < len(filters) < 30
    others = np.setdiff1d(np.arange(40), filters)
    # of the filters looked at, those whose bands then hold the sound: 4.8 kHz to either side
    closer = {index: group.rate for group in plan.second[1].groups for index in group.filters}
    holding = [index for index, rate in closer.items() if rate >= 96]
    assert torch.equal(second[:, others], first[:, others])
    assert torch.equal(second[[0, 2]], first[[0, 2]])
    for row, length in ((1, 16000), (3, 12345)):
        exact = direct_energies(waveforms[row : row + 1, :length], *values, kernel_size=401, hop=160)[0]
        inner = slice(4, exact.shape[-1] - 4)  # at the clip's ends the band is wider
        wanted, *found = (each[filters, inner] for each in (exact, first[row], second[row]))
        was, now = ((each - wanted).abs().amax(1) / wanted.mean(1) for each in found)
        assert (now <= 1.05 * was + 1e-3).all()
        assert was[holding].max() > 0.1 and now[holding].max() < 5e-3
    assert_rows_stand_alone(waveforms.float(), lengths, bands)


def test_few_groups_take_no_second_look():
    """To look would stop a GPU: there, less is left out at once."""
    values = mel_parameters()
    plan = plan_bands(*values, kernel_size=401, hop=160, few_groups=True)
    once = {"side_lobe": SIDE_LOBE_AT_ONCE, "second_side_lobe": None}
    assert plan.second is None
    assert plan == plan_bands(*values, kernel_size=401, hop=160, **once, few_groups=True)
    assert plan != plan_bands(*values, kernel_size=401, hop=160, **IN_TRAINING, few_groups=True)


def test_side_lobes_are_heard_before_a_sound_begins():
    """A kernel's end reaches the noise half a window before its middle does."""
    values = mel_parameters()
    spectrum = torch.fft.rfft(signals(16000)[0])
    spectrum[: 5 * len(spectrum) // 8] = 0
    waveforms = torch.fft.irfft(spectrum)[None]
    waveforms[:, :8000] = 0
    plan = plan_bands(*values, kernel_size=401, hop=160, second_side_lobe=None)
    exact = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    plans = (plan, dataclasses.replace(plan, leaks=None))
    left, dropped = ((bandlimited_energies(waveforms, None, *values, each) - exact).abs() for each in plans)
    before = (0, slice(1, 6), 8000 // 160 - 2)
    assert (left[before] < 0.8 * dropped[before]).all()


def test_ends_of_blocks_are_as_exact_as_their_middles():
    values = mel_parameters()
    plan = plan_bands(*values, kernel_size=401, hop=160)
    waveforms = signals(20 * plan.valid * plan.hop)[:1]
    energies = bandlimited_energies(waveforms, None, *values, plan)
    error = (energies - direct_energies(waveforms, *values, kernel_size=401, hop=160)).abs()[0]
    by_place = error[:, plan.valid : 19 * plan.valid].amax(0).unflatten(0, (-1, plan.valid)).amax(0)
    assert by_place.max() < 2 * by_place.median()


def features(energies, scale, alpha):
    """Frames as the default recipe starts: energies over their channel's mean, PCEN with a small offset."""
    scaled = energies / scale[:, None] + 1e-5
    smoothed = exponential_moving_average(scaled, torch.full_like(scale, 0.04))
    return (scaled / (smoothed + 1e-12) ** alpha + 1e-3) ** 0.1 - 1e-3**0.1


@needs_tasks
@pytest.mark.parametrize("clips_per_task", [1, pytest.param(12, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("options", "most", "half"), [({}, 2e-3, 1e-5), (IN_TRAINING, 2e-2, 3e-5)])
def test_features_of_recordings(clips_per_task, options, most, half):
    values = mel_parameters()
    plan = plan_bands(*values, kernel_size=401, hop=160, **options)
    bands, moves = prepare_bands(*values, plan, dtype=torch.float32), []
    for task in sorted(path for path in TASKS.iterdir() if path.is_dir()):
        files = sorted((task / "clips").glob("*.flac"))
        chosen = np.random.default_rng(0).choice(len(files), clips_per_task, replace=False)
        clips = [torch.from_numpy(soundfile.read(files[index], dtype="float64")[0])[None] for index in chosen]
        expected = [direct_energies(clip, *values, kernel_size=401, hop=160) for clip in clips]
        scale = torch.cat([exact[0] for exact in expected], 1).mean(1)
        for clip, exact in zip(clips, expected, strict=True):
            energies = pooled_energies(clip.float(), None, bands).double()
            assert ((energies - exact).abs() <= 1e-5 * exact.max()).all()
            for alpha in (0.05, 0.2, 0.5, 0.8, 0.95):
                moved = features(energies, scale, alpha) - features(exact, scale, alpha)
                moves.append(float(moved.abs().max()))
                assert moves[-1] <= most, task.name
    if clips_per_task > 1:  # a median of eight clips says little
        assert np.median(moves) <= half
