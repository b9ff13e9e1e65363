import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

from leaf_sklearn import LeafTransformer
from leaf_sklearn._clips.clips import as_clips
from leaf_sklearn._training import start
from leaf_sklearn._training.energies import Energies, measure_energies
from leaf_sklearn._training.loop import Labelled, Training, draw_batches, round_sizes
from leaf_sklearn._training.network import Network
from leaf_sklearn._training.recipe import PARAMETRISATIONS, one_cycle, parametrise, plain_state
from leaf_sklearn._training.split import hold_out
from leaf_sklearn._training.start import FIXED, GRID, check_starts, search_start, set_start, why_not_search
from leaf_sklearn._training.targets import make_targets
from leaf_sklearn._training.trial import Trial
from leaf_sklearn.frontends import PRESETS, make_frontend


def leaf(**settings):
    return make_frontend("leaf", sample_rate=4000, n_filters=6, **settings)


@pytest.mark.parametrize("name", ["leaf", "mel-pcen", "mel"])
@pytest.mark.parametrize("y", [[0, 1, 2], [[0, 1], [1, 1], [0, 0]], [[0, 1], [1, 0], [2, -1]], [0.5, 1.5, 2.25]])
def test_forward_and_backward_run_on_the_meta_device(name, y):
    """A tensor made on the wrong device meets one on meta and raises: no GPU is needed to see it."""
    targets = make_targets(np.array(y))
    frontend = make_frontend(name, sample_rate=4000, n_filters=6, algorithm="direct")
    network = Network(frontend, "cnn", targets.n_outputs, statistics=True).to("meta")
    waveforms = torch.zeros(3, 900, device="meta", requires_grad=True)
    lengths = torch.tensor([900, 500, 30], device="meta")
    values = torch.from_numpy(targets.values).to("meta")
    outputs = network(waveforms, lengths)
    loss = torch.stack([targets.losses(output, values, smoothing=0.05) for output in outputs]).sum(0).mean()
    loss.backward()
    assert loss.device.type == "meta" and waveforms.grad.device.type == "meta"
    assert targets.scores(outputs[0], values).device.type == "meta"
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_parametrisation_starts_at_zero_and_changes_no_value():
    frontend = leaf()
    set_start(frontend, FIXED)
    before = {name: value.clone() for name, value in frontend.state_dict().items()}
    parametrise(frontend)
    trainable = dict(frontend.named_parameters())
    assert len(trainable) == len(PARAMETRISATIONS) == 7
    for name, theta in trainable.items():
        torch.testing.assert_close(theta, torch.zeros_like(theta), rtol=0, atol=1e-5, msg=name)
    after = dict(plain_state(frontend))
    assert after.keys() == before.keys()
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("shift", [-3.0, 3.0])
def test_parametrised_values_stay_in_their_ranges(shift):
    frontend = leaf()
    set_start(frontend, FIXED)
    parametrise(frontend)
    with torch.no_grad():
        for theta in frontend.parameters():
            theta.add_(shift)
    pcen = frontend.compression
    assert (pcen.delta > 0).all() and (pcen.root > 0).all()
    for value in (pcen.alpha, pcen.smooth):
        assert ((value > 0) & (value < 1)).all()
    assert (frontend.filterbank.center >= 0).all() and (frontend.filterbank.center <= torch.pi).all()
    waveforms = torch.randn(2, 800, generator=torch.Generator().manual_seed(0))
    assert frontend(waveforms).isfinite().all()


def test_a_centre_moves_by_one_spacing_on_the_mel_scale():
    frontend = leaf()
    hertz = frontend.center_frequencies()
    parametrise(frontend)
    bank = frontend.filterbank
    with torch.no_grad():
        bank.parametrizations.raw_center.original.add_(1.0)
    moved = frontend.center_frequencies()
    mel = np.log1p(hertz / 700)
    np.testing.assert_allclose(np.log1p(moved / 700) - mel, (mel.max() - mel.min()) / 5, rtol=1e-4)
    assert parametrize.is_parametrized(bank)


@pytest.mark.parametrize("name", PRESETS)
def test_every_parameter_can_move_whatever_its_start(name):
    frontend = make_frontend(name)
    start = {name: parameter.detach().clone() for name, parameter in frontend.named_parameters()}
    parametrise(frontend)
    with torch.no_grad():
        for theta in frontend.parameters():
            theta.add_(0.1)
    moved = dict(plain_state(frontend))
    for name, value in start.items():
        size = value.square().mean().sqrt()
        assert (moved[name] - value).abs().max() > 1e-3 * (size if size > 0 else 1.0), name


def test_one_cycle_rises_then_falls():
    rates = np.array([one_cycle(step, 480) for step in range(480)])
    assert rates.argmax() == 120 and rates.max() == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.04) and rates[-1] < 1e-4
    assert (np.diff(rates[:120]) > 0).all() and (np.diff(rates[121:]) < 0).all()
    for n_steps in (1, 2, 4, 5):
        assert all(0 < one_cycle(step, n_steps) <= 1 for step in range(n_steps))


@pytest.mark.parametrize("max_steps", [1, 7, 16, 100, 480])
def test_rounds_add_up_to_the_budget(max_steps):
    sizes = round_sizes(max_steps)
    assert sum(sizes) == max_steps and len(sizes) == min(16, max_steps)
    assert max(sizes) - min(sizes) <= 1


def test_every_epoch_sees_every_clip_once():
    draws = draw_batches(np.ones(10), 4, np.random.default_rng(0))
    drawn = np.concatenate([next(draws) for _ in range(5)])
    assert np.bincount(drawn, minlength=10).tolist() == [2] * 10


def test_weighted_draws_follow_the_odds():
    draws = draw_batches(np.array([1.0, 3.0, 0.0]), 400, np.random.default_rng(0))
    share = np.bincount(next(draws), minlength=3) / 400
    np.testing.assert_allclose(share, [0.25, 0.75, 0.0], atol=0.06)


def test_groups_are_held_out_whole():
    y, groups = np.arange(60) % 2, np.arange(60) // 6
    train, held_out, why = hold_out(make_targets(y), groups, 0.2, seed=0)
    assert why is None and len(held_out) == 12
    assert not set(groups[train]) & set(groups[held_out])


def test_a_split_without_groups_is_stratified():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    train, held_out, _ = hold_out(make_targets(y), None, 0.1, seed=0)
    assert np.bincount(y[held_out]).tolist() == [6, 3, 1]
    assert sorted([*train, *held_out]) == list(range(100))


def test_a_split_that_takes_a_class_away_is_not_made():
    y, groups = np.repeat([0, 1], 50), np.repeat([0, 1], 50)
    train, held_out, why = hold_out(make_targets(y), groups, 0.1, seed=0)
    assert held_out is None and len(train) == 100 and "class" in why


def test_fewer_clips_than_one_can_judge_by_are_not_held_out():
    y = np.arange(99) % 2
    train, held_out, why = hold_out(make_targets(y), None, 0.1, seed=0)
    assert why is None and (len(train), len(held_out)) == (89, 10)
    train, held_out, why = hold_out(make_targets(y[:94]), None, 0.1, seed=0)
    assert held_out is None and len(train) == 94 and "is 9, too few" in why
    small_groups = np.minimum(np.arange(120), 18)  # 18 of one clip, one of 102
    train, held_out, why = hold_out(make_targets(np.arange(120) % 2), small_groups, 0.1, seed=1)
    assert held_out is None and len(train) == 120 and "groups to hold out have 2 clips" in why


@pytest.mark.parametrize("sizes", [(110, 10), (60, 30, 20, 10), (90, 15, 15)])
def test_of_groups_of_unequal_size_about_as_much_is_held_out_as_was_asked_for(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(10):
        train, held_out, why = hold_out(make_targets(np.arange(120) % 4), groups, 0.1, seed=seed)
        assert why is None and 6 <= len(held_out) <= 24 and len(train) == 120 - len(held_out)


def test_the_search_finds_the_start_that_tells_the_classes_apart():
    """Classes differ in level alone: a gain control that erases it (alpha near 1) cannot win."""
    frontend = leaf()
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    levels = np.where(labels, 4.0, 1.0)[:, None, None]
    energies = torch.from_numpy((levels * rng.gamma(2.0, 1.0, (40, 6, 30))).astype(np.float32))
    start, score = search_start(frontend, Energies(np.arange(40), list(energies)), labels, None, GRID, seed=0)
    assert score > 0.95 and start["alpha"] < 0.8
    assert (start["alpha"], start["delta"], start["root"]) in GRID


def test_reasons_not_to_search():
    y = make_targets(np.array([0] * 10 + [1] * 3))
    assert why_not_search(None, None, None) == "no y was given"
    assert "3 clips, fewer than 4" in why_not_search(y, y.values, None)
    plenty = make_targets(np.arange(16) % 2)
    assert why_not_search(plenty, plenty.values, None) is None
    assert "fewer than 4 groups" in why_not_search(plenty, plenty.values, np.arange(16) % 3)
    numbers = make_targets(np.linspace(0, 1.5, 16))
    assert "regression" in why_not_search(numbers, numbers.values, None)


def run(frontend, *, max_steps=24, energies=True, **settings):
    """Train on noise; returns the frontend's parameters after each step."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 700)).astype(np.float32), np.arange(12) % 2
    clips, targets = as_clips(X, sample_rate=4000), make_targets(y)
    rows = measure_energies(frontend, clips, torch.device("cpu")).rows if energies else None
    network = Network(frontend, "linear", 2, statistics=True, generator=torch.Generator().manual_seed(0))
    options = {"recipe": "default", "learning_rate": None, "batch_size": 4, "crop_ms": 100.0, **settings}
    labelled = Labelled(clips, targets.values, energies=rows)
    device = torch.device("cpu")
    training = Training(network, targets, labelled, None, max_steps=max_steps, device=device, rng=rng, **options)
    seen = []
    for _ in range(max_steps):
        training.run(1)
        seen.append({name: value.detach().clone() for name, value in frontend.named_parameters()})
    return training, seen


def test_filters_move_in_their_steps_alone_and_compression_in_all():
    training, seen = run(leaf())
    assert training.filter_steps == range(3, 7)
    for name in seen[0]:
        changes = [not torch.equal(before[name], after[name]) for before, after in itertools.pairwise(seen)]
        steps = [step + 1 for step, changed in enumerate(changes) if changed]
        filters = name.startswith(("filterbank.", "pooling."))
        assert steps == (list(range(3, 7)) if filters else list(range(1, 24))), name


def test_steps_after_the_filters_moved_take_their_new_energies():
    frontend = leaf()
    training, _ = run(frontend)
    fresh = measure_energies(frontend, training.train.clips, torch.device("cpu")).rows
    for stored, energies in zip(training.train.energies, fresh, strict=True):
        torch.testing.assert_close(stored, energies)


def test_what_needs_no_filtering_is_never_filtered(monkeypatch):
    frontend = make_frontend("mel-pcen", sample_rate=4000, n_filters=6)
    training, _ = run(frontend)
    assert len(training.filter_steps) == 0
    training, _ = run(leaf(), energies=False)
    assert training.filter_steps == range(24)


def test_energies_stop_where_there_is_enough_and_come_back_in_order(monkeypatch):
    frontend = leaf()
    X = np.random.default_rng(0).standard_normal((80, 400)).astype(np.float32)
    clips = as_clips(X, sample_rate=4000)
    order = np.random.default_rng(1).permutation(80)
    found = measure_energies(frontend, clips, torch.device("cpu"), order=order)
    whole = frontend.energies(torch.from_numpy(X)).detach()
    torch.testing.assert_close(torch.stack(found.in_order()), whole)
    features = frontend.compress(whole).detach()
    expected = np.concatenate([features.mean(-1), features.std(-1, correction=0)], axis=1)
    np.testing.assert_allclose(found.statistics(frontend)[np.argsort(order), :12], expected, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr("leaf_sklearn._training.energies.MAX_SECONDS", 3.3)
    some = measure_energies(frontend, clips, torch.device("cpu"), order=order)
    assert some.indices.tolist() == order[:64].tolist() and len(some.rows) == 64


def test_starts_to_search_among():
    assert check_starts(False) == () and check_starts(True) == GRID
    assert check_starts(np.array([[0.5, 1.0, 2.0]])) == ((0.5, 1.0, 2.0),)
    for wrong in ([[0.5, 0.01], [0.5]], ["no"], [[0.5, 1.0]], [], [None]):
        with pytest.raises(ValueError, match=r"expected a bool or rows of \(alpha, delta, root\)"):
            check_starts(wrong)
    for row in ([1.0, 1.0, 2.0], [0.5, 0.0, 2.0], [0.5, np.inf, 2.0], [0.5, 1.0, 0.5], [np.nan, 1.0, 2.0]):
        with pytest.raises(ValueError, match=rf"Got \[{row[0]}, {row[1]}, {row[2]}\] in compression_search"):
            check_starts([[0.5, 1.0, 2.0], row])


def test_of_hours_of_held_out_clips_a_random_part_is_judged(monkeypatch):
    """Clips in the order of their classes: the first that fill the hour would be of one class."""
    y = np.repeat([0, 1], 40)
    clips = as_clips(np.random.default_rng(0).standard_normal((80, 400)).astype(np.float32), sample_rate=4000)
    monkeypatch.setattr("leaf_sklearn._training.energies.MAX_SECONDS", 0.1 * 20)
    monkeypatch.setattr("leaf_sklearn._training.energies.BATCH_SIZE", 4)
    frontend, part = leaf(), Labelled(clips, y)
    energies = measure_energies(frontend, clips, torch.device("cpu"), order=np.random.default_rng(1).permutation(80))
    judged = []
    monkeypatch.setattr(
        "leaf_sklearn._training.trial.clip_scores", lambda *args: judged.append(args[-1]) or np.ones(len(args[-1]))
    )
    trial = Trial(frontend, make_targets(y), part, part, energies, torch.device("cpu"))
    assert trial.judge(frontend)["held_out_clips"] == len(judged[0]) == 24
    for labels in judged:
        assert 0.2 < labels.mean() < 0.8


def test_channel_means_weigh_every_frame_alike():
    rows = [torch.ones(1, 4), torch.full((1, 1), 6.0)]
    means = Energies(np.arange(2), rows).channel_means()
    torch.testing.assert_close(means, torch.tensor([2.0], dtype=torch.float64))


def tiny(**settings):
    return LeafTransformer(**{"n_filters": 4, "max_steps": 3, "encoder": "linear", "random_state": 0, **settings})


def noise(n_clips, n_times=1600):
    return np.random.default_rng(0).normal(size=(n_clips, n_times)).astype(np.float32)


@pytest.mark.parametrize(
    ("y", "groups"),
    [
        (np.repeat([0, 1, 0, 1], [17, 17, 13, 13]), np.repeat([0, 1, 2, 3], [17, 17, 13, 13])),  # an empty fold
        (np.repeat([0, 1], 20), np.r_[np.zeros(20), np.tile([1, 2, 3, 4], 5)]),  # a class in one group
    ],
)
def test_folds_that_groups_leave_without_clips_or_classes_do_not_judge(y, groups):
    first = tiny(validation_fraction=None).fit(noise(len(y)), y, groups=groups).history_[0]
    assert first["picked_by"] == "cross-validation"
    assert np.isfinite(first["start_score"])


def test_a_search_without_two_folds_takes_the_fixed_start(monkeypatch):
    y = np.repeat([0, 1], 6)

    def folds(labels, groups, seed):
        return [(np.flatnonzero(labels == label), np.flatnonzero(labels != label)) for label in (0, 1)]

    monkeypatch.setattr(start, "_folds", folds)
    first = tiny(validation_fraction=None).fit(noise(12), y, groups=np.arange(12)).history_[0]
    assert first["start"] == FIXED and "start_score" not in first
    assert first["picked_by"] == "fixed: the groups leave fewer than two folds with several classes"


def test_measuring_trains_no_batch_norm():
    clips, device = as_clips(noise(8), sample_rate=16000), torch.device("cpu")
    frontend = make_frontend("wavegram", n_filters=6)
    found = measure_energies(frontend, clips, device)
    assert frontend.training
    assert (frontend.filterbank.layers[0].variance == 1).all()
    alone = measure_energies(frontend, clips.take([3]), device)
    torch.testing.assert_close(alone.rows[0], found.rows[3], rtol=0, atol=1e-6)


def test_a_fraction_that_leaves_fewer_clips_than_classes_holds_none_out():
    history = tiny(validation_fraction=0.9).fit(noise(20), np.arange(20) % 4).history_
    assert history[0]["validation"] == "none: holding clips out would take the only clips of a class"


@pytest.mark.parametrize("max_steps", [1, 24])
def test_held_out_clips_are_judged_by_the_filters_as_they_stand(max_steps, monkeypatch):
    scores, evaluate = [], Training.evaluate

    def evaluate_twice(self):
        score, held_out = evaluate(self), self.held_out
        self.held_out = replace(held_out, energies=None)
        scores.append((score, evaluate(self)))
        self.held_out = held_out
        return score

    monkeypatch.setattr(Training, "evaluate", evaluate_twice)
    y = np.random.default_rng(1).normal(size=120)
    tiny(n_filters=6, max_steps=max_steps, learning_rate=0.3).fit(noise(120), y)
    measured, filtered = np.transpose(scores)
    np.testing.assert_allclose(measured, filtered, rtol=1e-4)


@pytest.mark.parametrize("level", [1e-20, 1e-21, 1e-22, 1e-30])
@pytest.mark.parametrize("name", ["leaf", "td-fbanks"])
def test_clips_too_quiet_for_an_energy_scale_count_as_silent(name, level):
    X = level * np.clip(noise(12).astype(np.float64) / 5, -1, 1)
    leaf = tiny(frontend=name).fit(X, np.arange(12) % 2)
    assert np.isfinite(leaf.transform(X)).all()


def test_infinite_targets_are_named():
    y = np.random.default_rng(0).normal(size=(20, 2))
    y[3, 1] = np.inf
    with pytest.raises(ValueError, match="Input y contains infinity"):
        tiny().fit(noise(20), y)


def test_validation_labels_of_several_tasks_may_miss_where_those_of_training_do_not():
    X, codes = noise(20), np.arange(20) % 4
    y = np.stack([codes, codes], 1)
    y[2, 1] = -1
    y_val = y.copy()
    y_val[0, 0] = -1
    tiny().fit(X, y, X_val=X, y_val=y_val)
    y_val[0] = -1
    with pytest.raises(ValueError, match="y_val has no label in any column for clip 0"):
        tiny().fit(X, y, X_val=X, y_val=y_val)
