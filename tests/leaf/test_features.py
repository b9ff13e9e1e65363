"""What `transform` gives: features, names, types, files."""

import pickle

import numpy as np
import pytest
import soundfile
from small_clips import RATE, small

from leaf_sklearn import LeafTransformer, MelTransformer
from leaf_sklearn._training.start import FLOORS


def test_features_are_functionals_of_the_frames(clips, fitted):
    X, _ = clips
    features = fitted.transform(X)
    frames = fitted.transform_frames(X)
    assert features.shape == (24, 66) and features.dtype == np.float32
    assert frames[0].shape == (20, 6)
    expected = [np.concatenate([f.mean(0), f.std(0), np.diff(f, axis=0).std(0)]) for f in frames]
    np.testing.assert_allclose(features[:, :18], expected, rtol=1e-4, atol=1e-6)


def test_a_clip_does_not_depend_on_its_batch(clips):
    rng = np.random.default_rng(1)
    ragged = [rng.standard_normal(n).astype(np.float32) for n in (900, 40, 3, 2000, 401, 777, 1)]
    leaf = small(output="embedding").fit(*clips)
    for output in ("functionals", "embedding"):
        leaf.set_params(output=output)
        together = leaf.transform(ragged)
        np.testing.assert_allclose(together[::-1], leaf.transform(ragged[::-1]), rtol=1e-7, atol=1e-7)
        alone = np.concatenate([leaf.transform([clip]) for clip in ragged])
        np.testing.assert_allclose(together, alone, rtol=2e-6, atol=2e-6)


def test_one_list_of_equal_clips_equals_the_array(clips, fitted):
    X, _ = clips
    np.testing.assert_array_equal(fitted.transform(list(X)), fitted.transform(X))


def test_float64_in_float64_out(clips, fitted):
    X, _ = clips
    doubles = fitted.transform(X.astype(np.float64))
    assert doubles.dtype == np.float64
    np.testing.assert_allclose(doubles, fitted.transform(X), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int16, np.float16])
def test_other_numbers_give_float32(clips, fitted, dtype):
    table = (100 * clips[0]).astype(dtype)
    features = fitted.transform(table)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, fitted.transform(table.astype(np.float32)))


@pytest.mark.parametrize("output", ["functionals", "frames", "embedding"])
def test_one_name_a_feature(clips, output):
    leaf = small(output=output).fit(*clips)
    names = leaf.get_feature_names_out()
    assert len(names) == len(set(names)) == leaf.transform(clips[0]).shape[1]


@pytest.mark.parametrize("rates", [(11025.5, None), (16000, 22050.7), (8000, 44100)])
def test_one_name_a_frame_at_any_rate(rates):
    X = np.random.default_rng(0).standard_normal((3, 16097))
    mel = MelTransformer(sample_rate=rates[0], input_sample_rate=rates[1], n_filters=2, output="frames").fit(X)
    assert len(mel.get_feature_names_out()) == mel.transform(X).shape[1]


def test_names_tell_filter_frequency_and_functional(fitted):
    hertz = round(fitted.center_frequencies_[2])
    assert fitted.get_feature_names_out()[2] == f"leaf_002_{hertz}hz_mean"
    assert fitted.get_feature_names_out()[8] == f"leaf_002_{hertz}hz_std"


def test_frames_need_one_length(clips):
    leaf = small(output="frames").fit(*clips)
    assert leaf.transform(clips[0]).shape == (24, 20 * 6)
    with pytest.raises(ValueError, match="clips of one length"):
        leaf.transform([np.ones(800), np.ones(1200)])
    with pytest.raises(ValueError, match="have 10 frames, those of fit had 20"):
        leaf.transform(list(clips[0][:, :400]))


def test_what_is_set_after_fit_is_honoured_or_refused(clips, fitted, tmp_path):
    X, _ = clips
    files = [str(tmp_path / f"{number}.wav") for number in range(4)]
    for path, clip in zip(files, X, strict=False):
        soundfile.write(path, clip, RATE, subtype="FLOAT")
    other = pickle.loads(pickle.dumps(fitted)).set_params(sample_rate=RATE // 2)
    np.testing.assert_array_equal(other.transform(files), fitted.transform(files), "the fitted frontend has its rate")
    np.testing.assert_array_equal(other.transform_frames(files)[0], fitted.transform_frames(files)[0])
    mel = MelTransformer(sample_rate=RATE, n_filters=4).fit(X)
    for model, output in ((other, "frame"), (mel, "embedding")):
        model.set_params(output=output)
        for method in (lambda model=model: model.transform(X), model.get_feature_names_out):
            with pytest.raises(ValueError, match=f"Got output='{output}', expected one of .'functionals', 'frames'"):
                method()


def test_embedding_needs_an_encoder(clips):
    leaf = small().fit(clips[0]).set_params(output="embedding")
    with pytest.raises(ValueError, match="needs a trained encoder"):
        leaf.transform(clips[0])


def test_files_are_mixed_down_and_resampled(recordings, fitted, clips):
    paths, y = recordings
    leaf = small(max_steps=16).fit(paths, y)
    features = leaf.transform([str(path) for path in paths])
    assert features.shape == (24, 66) and np.isfinite(features).all()
    assert not hasattr(leaf, "n_features_in_")
    # the way through a file changes little
    np.testing.assert_allclose(fitted.transform(paths)[:, :6], fitted.transform(clips[0])[:, :6], atol=0.1)


def test_a_floor_under_the_logarithm_is_a_share_of_each_band_s_mean(clips):
    X = clips[0]
    settings = {"sample_rate": RATE, "n_filters": 6}
    energies = [np.exp(frames) - 1e-5 for frames in MelTransformer(**settings).fit(X).transform_frames(X)]
    means = np.concatenate(energies).mean(0)
    floored = MelTransformer(floor=1e-2, **settings).fit(X).transform_frames(X)
    expected = [np.log(frames / (1e-2 * means) + 1) + np.log(2e-5) for frames in energies]
    np.testing.assert_allclose(floored, expected, rtol=1e-3, atol=1e-3)
    trained = LeafTransformer("mel", floor=1e-2, validation_fraction=None, **settings).fit(X).transform_frames(X)
    np.testing.assert_array_equal(trained, floored)


@pytest.mark.parametrize("floor", FLOORS)
def test_the_least_and_the_largest_floor(clips, floor):
    X = 1e-12 * clips[0]  # energies just above what counts as silence
    frames = MelTransformer(sample_rate=RATE, n_filters=6, floor=floor).fit(X).transform_frames(X)
    mean = np.mean([np.exp(values) - 2e-5 for values in frames], axis=(0, 1))
    np.testing.assert_allclose(mean, 2e-5 / floor, rtol=0.05)


def test_the_recipe_s_own_floor_under_the_logarithm(clips):
    settings = {"sample_rate": RATE, "n_filters": 6}
    own = LeafTransformer("mel", **settings).fit(clips[0]).transform_frames(clips[0])
    floored = LeafTransformer("mel", floor=2e-5, **settings).fit(clips[0]).transform_frames(clips[0])
    np.testing.assert_allclose(own, floored, rtol=1e-6)


@pytest.mark.parametrize(
    ("transformer", "told"),
    [
        (MelTransformer(floor=1e-2, compression="root"), "'mel' and compression='root', expected 'log'"),
        (LeafTransformer(floor=1e-2), "'leaf' and compression='auto', expected 'log'"),
        (LeafTransformer("td-fbanks", floor=1e-2, recipe="paper"), "expected recipe='default'"),
        (LeafTransformer("mel", floor=1e-11), "The 'floor' parameter of LeafTransformer"),
    ],
)
def test_a_floor_that_no_logarithm_takes(clips, transformer, told):
    with pytest.raises(ValueError, match=told):
        transformer.set_params(sample_rate=RATE, n_filters=6).fit(*clips)
