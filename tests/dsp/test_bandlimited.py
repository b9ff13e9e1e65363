import math

import pytest
import torch
from bandlimited_cases import (
    PARAMETERS,
    assert_rows_stand_alone,
    bandlimited_energies,
    convolved_energies,
    direct_energies,
    mel_parameters,
    neighbourhood,
    random_parameters,
    signals,
)

from leaf_sklearn.dsp import bandlimited
from leaf_sklearn.dsp.band_plan import plan_bands, plan_kernels
from leaf_sklearn.dsp.band_weights import prepare_bands, prepare_kernels
from leaf_sklearn.dsp.bandlimited import pooled_energies

GEOMETRIES = [
    (401, 160),
    (201, 80),
    (401, 80),
    (552, 220),
    (401, 147),
    (401, 500),
    (25, 10),
    (24, 7),
    (25, 1),
    (25, 40),
]


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
    """The squared envelope is cut off between nodes."""
    values = PARAMETERS[parameters]()
    for rest in range(0, 160, 16):
        waveforms = torch.zeros(2, 2400 + rest, dtype=torch.float64)
        waveforms[0, 0] = waveforms[1, -1] = 1.0
        expected = direct_energies(waveforms, *values, kernel_size=401, hop=160)
        error = (fast_energies(waveforms.float(), None, values) - expected).abs()
        assert (error <= 5e-6 * expected.amax((1, 2), keepdim=True)).all()


@pytest.mark.parametrize("n_times", [1, 2, 100, 160, 161, 199, 200, 201, 320, 401, 640, 1600])
@pytest.mark.parametrize("parameters", ["init", "random"])
def test_short_clips(parameters, n_times):
    values = PARAMETERS[parameters]()
    waveforms = torch.randn(2, n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(n_times))
    expected = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    error = (fast_energies(waveforms.float(), None, values) - expected).abs()
    assert (error <= 5e-6 * expected.amax((1, 2), keepdim=True)).all()


@pytest.mark.parametrize("few_groups", [False, True])
@pytest.mark.parametrize(("kernel_size", "hop"), GEOMETRIES)
def test_every_window_and_hop(kernel_size, hop, few_groups):
    for values in (random_parameters(8, kernel_size, seed=3), mel_parameters(kernel_size)):
        plan = plan_bands(*values, kernel_size=kernel_size, hop=hop, few_groups=few_groups)
        assert max(plan.overhang) <= plan.block // 2  # the spectrum holds no more to continue it with
        for n_times in (hop, 3 * kernel_size + 1, plan.valid * hop * 2 + 17):
            waveforms = torch.randn(2, n_times, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
            expected = direct_energies(waveforms, *values, kernel_size=kernel_size, hop=hop)
            energies = bandlimited_energies(waveforms, None, *values, plan)
            assert energies.shape == expected.shape
            assert ((energies - expected).abs() <= 1e-5 * expected.amax((1, 2), keepdim=True)).all()


@pytest.mark.parametrize("few_groups", [False, True])
@pytest.mark.parametrize("kernel_size", [26, 69, 161, 401])
def test_bands_lie_within_what_spectra_hold(kernel_size, few_groups):
    for seed in range(8):
        values = random_parameters(11, kernel_size, seed=seed)
        for hop in (kernel_size // 5, 2 * kernel_size // 5, 5 * kernel_size):
            plan = plan_bands(*values, kernel_size=kernel_size, hop=hop, few_groups=few_groups)
            for each in (plan, plan.second or plan):
                assert max(each.overhang) <= each.block // 2


@pytest.mark.parametrize("kernel_size", [401, 400])
def test_plan_may_be_stale(kernel_size):
    values = [value.float() for value in random_parameters(8, kernel_size, seed=4)]
    plan = plan_bands(*values, kernel_size=kernel_size, hop=160)
    center, sigma, width = values[0] * 0.999 + 1e-3, values[1].clamp(max=140) * 1.01, values[2]
    waveforms = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    expected = direct_energies(waveforms, center, sigma, width, kernel_size=kernel_size, hop=160)
    energies = bandlimited_energies(waveforms, None, center, sigma, width, plan)
    assert ((energies - expected).abs() <= 1e-5 * expected.amax((1, 2), keepdim=True)).all()


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


@pytest.mark.parametrize("n_filters", [1, 2, 8])
@pytest.mark.parametrize("kernel_size", [12, 17, 24, 25])
def test_short_kernels_do_not_depend_on_their_batch(kernel_size, n_filters):
    values = [value[-n_filters:] for value in random_parameters(8, kernel_size, seed=3)]
    lengths = torch.tensor([300, 1, 7, 40, 299])
    waveforms = torch.randn(len(lengths), 300, generator=torch.Generator().manual_seed(0))
    plan = plan_bands(*values, kernel_size=kernel_size, hop=7)
    assert_rows_stand_alone(waveforms, lengths, prepare_bands(*values, plan, dtype=torch.float32))


@pytest.mark.parametrize("n_blocks", [5, 6])
@pytest.mark.parametrize("kernel_size", [25, 24])
def test_long_clips_are_done_in_parts(kernel_size, n_blocks, monkeypatch):
    """None of them is a lone block, which two threads would round in another way."""
    values = random_parameters(6, kernel_size, seed=0)
    plan = plan_bands(*values, kernel_size=kernel_size, hop=10)
    bands = prepare_bands(*values, plan, dtype=torch.float32)
    n_times = (n_blocks * plan.valid - plan.frame_cells + 1) * plan.hop
    waveforms = torch.randn(3, n_times, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([n_times, n_times // 3, n_times - plan.valid * plan.hop - 3])
    at_once = pooled_energies(waveforms, lengths, bands)
    sizes = []

    def block_energies(spectrum, *arguments):
        sizes.append(len(spectrum))
        return bandlimited_block_energies(spectrum, *arguments)

    bandlimited_block_energies = bandlimited.block_energies
    monkeypatch.setattr(bandlimited, "block_energies", block_energies)
    for most in (2, 3):
        monkeypatch.setattr(bandlimited, "NODES_CPU", most * plan.nodes)
        assert torch.equal(pooled_energies(waveforms, lengths, bands), at_once)
        assert max(sizes) <= most and min(sizes) >= 2


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
def test_groups_may_be_few(parameters):
    values = PARAMETERS[parameters]()
    plan = plan_bands(*values, kernel_size=401, hop=160, few_groups=True)
    assert sorted(plan.order) == list(range(len(values[0])))
    assert len(plan.groups) <= len(plan_bands(*values, kernel_size=401, hop=160).groups) / 2
    assert len(plan_kernels(40, kernel_size=401, hop=160, padding="same").groups) == 1


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel_size", "hop"), [(25, 10), (24, 7)])
def test_kernels_of_any_shape(kernel_size, hop, padding):
    generator = torch.Generator().manual_seed(0)
    real, imaginary, windows = torch.randn(3, 5, kernel_size, dtype=torch.float64, generator=generator)
    waveforms = torch.randn(2, 700, dtype=torch.float64, generator=generator)
    leaves = [value.requires_grad_() for value in (waveforms, real, imaginary, windows)]
    plan = plan_kernels(5, kernel_size=kernel_size, hop=hop, padding=padding)
    bands = prepare_kernels(torch.cat([real, imaginary]), windows, plan)
    expected = convolved_energies(*leaves, hop=hop, padding=padding)
    energies = pooled_energies(waveforms, None, bands)
    # Windows of either sign give energies that no Gaussian would.
    expected = expected.clamp(min=0)
    torch.testing.assert_close(energies, expected, rtol=1e-9, atol=1e-9)
    gradients = torch.autograd.grad(energies.square().sum(), leaves)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected.square().sum(), leaves), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * theirs.abs().max().item())


@pytest.mark.parametrize("n_filters", [1, 2, 5])
@pytest.mark.parametrize("kernel_size", [12, 25])
def test_free_kernels_do_not_depend_on_their_batch(kernel_size, n_filters):
    generator = torch.Generator().manual_seed(0)
    real, imaginary, windows = torch.randn(3, n_filters, kernel_size, generator=generator)
    plan = plan_kernels(n_filters, kernel_size=kernel_size, hop=10, padding="same")
    lengths = torch.tensor([300, 1, 7, 40, 299])
    waveforms = torch.randn(len(lengths), 300, generator=generator)
    assert_rows_stand_alone(waveforms, lengths, prepare_kernels(torch.cat([real, imaginary]), windows, plan))


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_constants_hold_no_denormal_numbers(parameters):
    """Products with them take some processors many times as long."""
    values = PARAMETERS[parameters]()
    bands = prepare_bands(*values, plan_bands(*values, kernel_size=401, hop=160), dtype=torch.float32)
    constants = [
        *map(torch.view_as_real, bands.responses),
        *bands.weights,
        bands.end_taps,
        bands.end_windows,
        bands.leaks,
    ]
    for constant in constants:
        assert ((constant == 0) | (constant.abs() >= torch.finfo(torch.float32).tiny)).all()


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("hop", [81, 260])
def test_free_kernels_of_clips_of_many_lengths_do_not_depend_on_their_batch(hop, padding):
    generator = torch.Generator().manual_seed(0)
    real, imaginary, windows = torch.randn(3, 5, 201, generator=generator)
    plan = plan_kernels(5, kernel_size=201, hop=hop, padding=padding)
    lengths = torch.tensor([1300, 1, 100, 200, 201, 202, 340, 1040, *range(900, 1300, 37)])
    waveforms = torch.randn(len(lengths), 1300, generator=generator)
    assert_rows_stand_alone(waveforms, lengths, prepare_kernels(torch.cat([real, imaginary]), windows, plan))


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


def test_ends_of_blocks_are_as_exact_as_their_middles():
    values = mel_parameters()
    plan = plan_bands(*values, kernel_size=401, hop=160)
    waveforms = signals(20 * plan.valid * plan.hop)[:1]
    energies = bandlimited_energies(waveforms, None, *values, plan)
    error = (energies - direct_energies(waveforms, *values, kernel_size=401, hop=160)).abs()[0]
    by_place = error[:, plan.valid : 19 * plan.valid].amax(0).unflatten(0, (-1, plan.valid)).amax(0)
    assert by_place.max() < 2 * by_place.median()
