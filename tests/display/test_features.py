"""FeaturesDisplay: seconds across, Hz upwards, and the numbers that the estimator gives."""

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn.display import FeaturesDisplay


def image_of(panel):
    return np.asarray(panel.images[0].get_array())


def test_a_tone_lies_at_its_frequency_and_its_time():
    rate, pitch = 16000, 1000.0
    time = np.arange(rate) / rate
    clip = np.where(time > 0.5, np.sin(2 * np.pi * pitch * time), 1e-4 * np.sin(time))
    panel = FeaturesDisplay.from_estimator(MelTransformer().fit([clip]), clip, reference=None).ax_
    image = image_of(panel)
    left, right, low, high = panel.images[0].get_extent()
    assert (left, right) == pytest.approx((0.0, 1.0))
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert left + (column + 0.5) / image.shape[1] * (right - left) > 0.5
    # where the labels say that 1000 Hz is
    ticks = dict(zip([text.get_text() for text in panel.get_yticklabels()], panel.get_yticks(), strict=True))
    assert ticks["1000"] == pytest.approx(row, abs=0.6)
    assert (low, high) == (-0.5, 39.5)
    assert panel.get_xlabel() == "Time (s)" and panel.get_ylabel() == "Centre frequency (Hz)"


def test_mel_stands_beside_learned(leaf, clips, tmp_path):
    clip = clips[0][0]
    display = FeaturesDisplay.from_estimator(leaf, clip)
    assert [panel.get_title() for panel in display.ax_] == ["mel", "leaf"]
    order = np.argsort(leaf.center_frequencies_)
    np.testing.assert_array_equal(image_of(display.ax_[1]), leaf.transform_frames([clip])[0][:, order].T)
    mel = MelTransformer(sample_rate=8000, n_filters=8).fit([clip])
    np.testing.assert_array_equal(image_of(display.ax_[0]), mel.transform_frames([clip])[0].T)
    bars = [axes.get_ylabel() for axes in display.figure_.axes]
    assert "PCEN" in bars and "Log energy" in bars
    soundfile.write(tmp_path / "clip.wav", clip, 8000, subtype="FLOAT")
    from_file = FeaturesDisplay.from_estimator(leaf, tmp_path / "clip.wav", ax=Figure().subplots(1, 2))
    np.testing.assert_array_equal(image_of(from_file.ax_[1]), image_of(display.ax_[1]))


def test_references(leaf, clips):
    clip = clips[0][0]
    other = LeafTransformer("mel-pcen", sample_rate=8000, n_filters=8, device="cpu").fit([clip])
    display = FeaturesDisplay.from_estimator(leaf, clip, reference=other)
    assert [panel.get_title() for panel in display.ax_] == ["mel-pcen", "leaf"]
    with pytest.raises(ValueError, match="reference='cochlea', expected 'mel', a fitted estimator or None"):
        FeaturesDisplay.from_estimator(leaf, clip, reference="cochlea")
    with pytest.raises(ValueError, match="not fitted"):
        FeaturesDisplay.from_estimator(leaf, clip, reference=LeafTransformer())


def test_it_is_of_one_clip(leaf, clips):
    for several in (clips[0][:3], ["a.wav", "b.wav"]):
        with pytest.raises(ValueError, match=r"Got a clip of shape .* expected one: a 1-D array of numbers or a path"):
            FeaturesDisplay.from_estimator(leaf, several)


def test_wavegram_has_channels_but_no_frequencies():
    clip = np.random.default_rng(0).standard_normal(16000)
    wavegram = LeafTransformer("wavegram", device="cpu").fit([clip])
    panel = FeaturesDisplay.from_estimator(wavegram, clip, reference=None).ax_
    assert panel.get_ylabel() == "Channel"
    assert panel.images[0].get_extent()[1] == pytest.approx(1.0)


def test_silence_and_few_filters():
    silence = np.zeros(4000)
    model = MelTransformer(n_filters=3, fmin=1100, fmax=1900).fit([silence])
    panel = FeaturesDisplay.from_estimator(model, silence, reference=None).ax_
    assert [float(text.get_text()) for text in panel.get_yticklabels()] == [*model.center_frequencies_.round()]
    panel.figure.canvas.draw()
