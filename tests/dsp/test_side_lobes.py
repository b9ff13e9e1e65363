"""Side lobes that the band-limited form leaves out: what it estimates, and where it looks again."""

import dataclasses

import numpy as np
import pytest
import soundfile
import torch
from bandlimited_cases import (
    IN_TRAINING,
    PARAMETERS,
    assert_rows_stand_alone,
    bandlimited_energies,
    direct_energies,
    mel_parameters,
    neighbourhood,
    signals,
)
from helpers import TASKS, needs_tasks

from leaf_sklearn.dsp.band_plan import SIDE_LOBE_AT_ONCE, SIDE_LOBES, plan_bands
from leaf_sklearn.dsp.band_weights import prepare_bands
from leaf_sklearn.dsp.bandlimited import _leaked, pooled_energies
from leaf_sklearn.dsp.smoothing import exponential_moving_average


@pytest.mark.parametrize("rows", [*range(1, 12), 40])
def test_estimates_do_not_depend_on_what_follows(rows):
    plan = plan_bands(*mel_parameters(), kernel_size=401, hop=160)
    generator = torch.Generator().manual_seed(0)
    leaks, energies = torch.rand(rows, 40, generator=generator), torch.rand(3, 40, 30, generator=generator)
    for n_frames in range(1, 30):
        lengths = torch.tensor([160 * n_frames] * 3)
        padded = _leaked(energies, lengths, plan, leaks)[..., :n_frames]
        assert torch.equal(_leaked(energies[..., :n_frames], None, plan, leaks), padded)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_training_needs_fewer_nodes(parameters):
    values = [value.requires_grad_() for value in PARAMETERS[parameters]()]
    numbers = [value.detach().numpy() for value in values]
    plan, closer = (
        plan_bands(*numbers, kernel_size=401, hop=160, **bounds)
        for bounds in (IN_TRAINING, {"side_lobes": (SIDE_LOBE_AT_ONCE,)})
    )
    assert plan.rates.sum() < 0.9 * closer.rates.sum()
    exact = direct_energies(signals(), *values, kernel_size=401, hop=160)
    energies = bandlimited_energies(signals().float(), None, *values, plan)
    error = (energies - exact).abs()
    assert (error <= 1e-5 * exact.amax((1, 2), keepdim=True)).all()
    assert (error[:6] <= 1e-5 * neighbourhood(exact[:6])).all()
    expected = torch.autograd.grad(exact[0].add(1e-3).log().sum(), values)
    gradients = torch.autograd.grad(energies[0].add(1e-3).log().sum(), values)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert (ours - theirs).abs().max() <= 5e-3 * theirs.abs().max()


@pytest.mark.parametrize("side_lobe", [SIDE_LOBES[0], SIDE_LOBE_AT_ONCE])
def test_side_lobes_left_out_are_estimated(side_lobe):
    """Low filters that hear nothing but side lobes of noise far above: the estimate takes off most of the error."""
    values = mel_parameters()
    spectrum = torch.fft.rfft(signals(16000)[0])
    spectrum[: 5 * len(spectrum) // 8] = 0  # below 5 kHz
    waveforms = torch.fft.irfft(spectrum)[None]
    plan = plan_bands(*values, kernel_size=401, hop=160, side_lobes=(side_lobe,))
    without = dataclasses.replace(plan, leaks=None)
    exact = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    errors = [bandlimited_energies(waveforms, None, *values, each) - exact for each in (plan, without)]
    quiet = slice(1, 6)
    away = slice(4, -4)  # from the clip's ends, where the noise begins and stops
    left, dropped = (error[0, quiet, away].mean(-1).abs() for error in errors)
    assert (left < 0.5 * dropped).all()
    assert (plan.leaks >= 0).all()
    nothing_left_out = plan.order[plan.rates == 160]
    assert nothing_left_out.tolist() == ([0] if side_lobe == SIDE_LOBE_AT_ONCE else [])
    assert (plan.leaks[nothing_left_out] == 0).all()


def noise_and_a_band_of_it():
    """A second of noise, and its part from 3 to 4 kHz."""
    noise = signals(16000)[0]
    spectrum = torch.fft.rfft(noise)
    spectrum[:3000], spectrum[4000:] = 0, 0
    return torch.stack([noise, torch.fft.irfft(spectrum)])


@pytest.mark.parametrize("rows", [[0, 1], [1]])
def test_gradients_of_waveforms_flow_through_the_second_look(rows):
    values = mel_parameters()
    plan = plan_bands(*values, kernel_size=401, hop=160)
    waveforms = noise_and_a_band_of_it()[rows].requires_grad_()
    energies = bandlimited_energies(waveforms, None, *values, plan)
    once = bandlimited_energies(waveforms, None, *values, dataclasses.replace(plan, second=None))
    assert not torch.equal(energies[-1], once[-1])
    exact = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    weights = torch.rand(exact.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours, theirs = (torch.autograd.grad((each * weights).sum(), waveforms)[0] for each in (energies, exact))
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("parameters", ["init", "trained"])
def test_clips_with_nothing_but_side_lobes_take_a_second_look(parameters):
    """On their own and in a batch, padded or not; other clips, and filters of which little is left out, do not."""
    values = PARAMETERS[parameters]()
    waveforms = noise_and_a_band_of_it()
    waveforms = torch.cat([waveforms, waveforms.flip(1)])
    lengths = torch.tensor([16000, 16000, 9000, 12345])
    plan = plan_bands(*values, kernel_size=401, hop=160)
    once = plan_bands(*values, kernel_size=401, hop=160, side_lobes=SIDE_LOBES[:1])
    bands = prepare_bands(*values, plan, dtype=torch.float32)
    first, second = (bandlimited_energies(waveforms.float(), lengths, *values, each) for each in (once, plan))
    filters = plan.second.order
    assert 0 < len(filters) < 30
    others = np.setdiff1d(np.arange(40), filters)
    # of the filters looked at, those whose bands then hold the sound: 4.8 kHz to either side
    holding = plan.second.rates >= 96
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
    once = {"side_lobes": (SIDE_LOBE_AT_ONCE,)}
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
    plan = plan_bands(*values, kernel_size=401, hop=160, side_lobes=SIDE_LOBES[:1])
    exact = direct_energies(waveforms, *values, kernel_size=401, hop=160)
    plans = (plan, dataclasses.replace(plan, leaks=None))
    left, dropped = ((bandlimited_energies(waveforms, None, *values, each) - exact).abs() for each in plans)
    before = (0, slice(1, 6), 8000 // 160 - 2)
    assert (left[before] < 0.8 * dropped[before]).all()


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


@needs_tasks
def test_a_sound_that_sets_in_after_near_silence():
    """Of all recordings of the tasks the one whose features move most by what the frame before hears of it."""
    values = mel_parameters()
    clip = torch.from_numpy(soundfile.read(TASKS / "emotion" / "clips" / "a23_disgust_i2_s1_r1.flac")[0])[None]
    exact = direct_energies(clip, *values, kernel_size=401, hop=160)
    energies = bandlimited_energies(clip.float(), None, *values, plan_bands(*values, kernel_size=401, hop=160)).double()
    scale = exact[0].mean(1)
    for alpha in (0.05, 0.5, 0.95):
        assert (features(energies, scale, alpha) - features(exact, scale, alpha)).abs().max() <= 1e-3
