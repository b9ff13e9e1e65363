import numpy as np
import pytest

from leaf_sklearn.dsp.scales import SCALES, hz_to_erb, hz_to_mel, scale_points


@pytest.mark.parametrize("scale", SCALES)
def test_scales_rise_from_zero_and_come_back(scale):
    forward, inverse = SCALES[scale]
    hz = np.linspace(0.0, 48000.0, 500)
    assert forward(hz)[0] == 0.0
    assert (np.diff(forward(hz)) > 0).all()
    np.testing.assert_allclose(inverse(forward(hz)), hz, atol=1e-8)


def test_mel_is_librosas_htk_mel():
    librosa = pytest.importorskip("librosa")
    hz = np.linspace(10.0, 8000.0, 50)
    np.testing.assert_allclose(hz_to_mel(hz), librosa.hz_to_mel(hz, htk=True), rtol=2e-5)


def test_one_erb_is_as_wide_as_glasberg_and_moore_say():
    for hz in (100.0, 1000.0, 5000.0):
        step = 1.0 / (hz_to_erb(np.array(hz + 0.5)) - hz_to_erb(np.array(hz - 0.5)))
        assert step == pytest.approx(24.7 * (0.00437 * hz + 1.0), rel=5e-3)


def test_points_include_both_ends():
    points = scale_points("bark", 7, 30.0, 6000.0)
    assert points.shape == (7,)
    np.testing.assert_allclose(points[[0, -1]], [30.0, 6000.0])
