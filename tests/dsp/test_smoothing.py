import pytest
import torch

from leaf_sklearn.dsp.smoothing import BLOCK, exponential_moving_average

LENGTHS = [1, 2, 31, 100, BLOCK, BLOCK + 1, 1000, BLOCK * BLOCK + 3]


def frame_by_frame(x, smooth):
    """The definition, in float64."""
    x, smooth = x.double(), smooth.double()
    frames = [x[..., 0]]
    for frame in x[..., 1:].unbind(-1):
        frames.append(smooth * frame + (1 - smooth) * frames[-1])
    return torch.stack(frames, -1)


def random_energies(*shape, seed=0):
    """Positive numbers over six orders of magnitude."""
    return 10 ** (6 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 6)


def assert_relative(actual, expected, tolerance):
    assert actual.shape == expected.shape
    assert ((actual - expected).abs() <= tolerance * expected.abs()).all()


@pytest.mark.parametrize("n_frames", LENGTHS)
def test_equals_the_definition(n_frames):
    smooth = torch.tensor([0.0, 1e-4, 0.04, 0.5, 1.0])
    x = random_energies(2, 5, n_frames)
    averaged = exponential_moving_average(x, smooth)
    assert averaged.dtype == torch.float32
    assert_relative(averaged, frame_by_frame(x, smooth), 1e-5)


@pytest.mark.parametrize("loud_at", [0, 200, 700])
@pytest.mark.parametrize("smooth", [0.002, 0.04, 0.3])
def test_quiet_after_loud(smooth, loud_at):
    x = random_energies(1, 1, 15000)
    x[..., loud_at] = 1e8
    smooth = torch.tensor([smooth])
    assert_relative(exponential_moving_average(x, smooth), frame_by_frame(x, smooth), 1e-5)


def test_ends_of_the_range():
    x = random_energies(2, 2, 1000)
    averaged = exponential_moving_average(x, torch.tensor([0.0, 1.0]))
    assert torch.equal(averaged[:, 0], x[:, 0, :1].expand(-1, 1000))
    assert torch.equal(averaged[:, 1], x[:, 1])


def test_input_is_left_alone():
    for n_frames in (1, 2, 3, 300):
        x = random_energies(1, 3, n_frames)
        before = x.clone()
        exponential_moving_average(x, torch.full((3,), 0.1)).mul_(2)
        assert torch.equal(x, before)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_frames_depend_on_their_own_past_alone(n_threads):
    previous = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        smooth = torch.rand(40, generator=torch.Generator().manual_seed(1))
        x = random_energies(7, 40, 700)
        together = exponential_moving_average(x, smooth)
        assert torch.equal(exponential_moving_average(x.flip(0), smooth).flip(0), together)
        for row, n_frames in enumerate([1, 2, 99, 256, 257, 699, 700]):
            alone = exponential_moving_average(x[row : row + 1, :, :n_frames], smooth)
            assert torch.equal(alone[0], together[row, :, :n_frames])
    finally:
        torch.set_num_threads(previous)


@pytest.mark.parametrize("n_frames", [1, 2, 5, BLOCK + 2])
def test_gradients(n_frames):
    x = random_energies(2, 3, n_frames).double().requires_grad_()
    smooth = torch.tensor([0.03, 0.4, 0.97], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(exponential_moving_average, (x, smooth), fast_mode=n_frames > 10)


def test_gradients_at_the_ends_of_the_range_equal_autograd():
    x, weights = random_energies(2, 2, 300).double(), random_energies(2, 2, 300, seed=1).double()
    grads = []
    for average in (exponential_moving_average, frame_by_frame):
        leaf, smooth = x.clone().requires_grad_(), torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
        grads.append(torch.autograd.grad((average(leaf, smooth) * weights).sum(), (leaf, smooth)))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_only_one_gradient_wanted():
    x = random_energies(1, 2, 50)
    smooth = torch.full((2,), 0.1, requires_grad=True)
    exponential_moving_average(x, smooth).sum().backward()
    assert torch.isfinite(smooth.grad).all()
    assert x.grad is None


def test_runs_without_data():
    x = torch.empty(2, 3, 1000, device="meta")
    assert exponential_moving_average(x, torch.empty(3, device="meta")).shape == (2, 3, 1000)
