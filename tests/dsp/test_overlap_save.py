import pytest
import torch

from leaf_sklearn.dsp.overlap_save import block_step, correlate_blocks, kernel_spectra


def noise(*shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def fft_correlate(waveforms, kernels, step=None):
    step = step or block_step(kernels.shape[1])
    n_out = waveforms.shape[1] - kernels.shape[1] + 1
    return correlate_blocks(waveforms, kernel_spectra(kernels, step=step), step=step, n_out=n_out)


@pytest.mark.parametrize("n_times", [25, 26, 200, 1000])
@pytest.mark.parametrize("kernel_size", [1, 24, 25])
def test_equals_convolution(kernel_size, n_times):
    waveforms, kernels = noise(2, n_times, dtype=torch.float64), noise(3, kernel_size, dtype=torch.float64, seed=1)
    expected = torch.nn.functional.conv1d(waveforms[:, None], kernels[:, None])
    torch.testing.assert_close(fft_correlate(waveforms, kernels), expected)
    rounded = fft_correlate(waveforms.float(), kernels.float())
    assert (rounded - expected).abs().max() <= 2e-6 * expected.abs().max()


def test_steps_are_multiples():
    for kernel_size, hop in [(401, 160), (401, 5000), (201, 80), (3, 1)]:
        step = block_step(kernel_size, multiple_of=hop)
        assert step % hop == 0
        assert step >= hop
        waveforms, kernels = noise(1, 2 * step + kernel_size), noise(2, kernel_size, seed=1)
        whole = fft_correlate(waveforms, kernels, step=step)
        # Two steps in, the rest is transformed in the same blocks.
        assert torch.equal(fft_correlate(waveforms[:, step:], kernels, step=step), whole[..., step:])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_outputs_depend_on_their_own_clip_alone(n_threads):
    previous = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        waveforms, kernels = noise(5, 20000), noise(8, 401, seed=1)
        together = fft_correlate(waveforms, kernels)
        for row, n_times in enumerate([401, 402, 3000, 10000, 20000]):
            alone = fft_correlate(waveforms[row : row + 1, :n_times], kernels)
            n_same = n_times - 400 - (n_times - 400) % block_step(401)
            assert torch.equal(alone[0, :, :n_same], together[row, :, :n_same])
            padded = torch.nn.functional.pad(waveforms[row : row + 1, :n_times], (0, 7000))
            assert torch.equal(alone[0], fft_correlate(padded, kernels)[0, :, : n_times - 400])
    finally:
        torch.set_num_threads(previous)


def test_gradients():
    waveforms = noise(2, 60, dtype=torch.float64).requires_grad_()
    kernels = noise(2, 5, dtype=torch.float64, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(fft_correlate, (waveforms, kernels))
