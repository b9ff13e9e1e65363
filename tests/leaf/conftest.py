import numpy as np
import pytest
import soundfile
from small_clips import RATE, make_clips, small


@pytest.fixture(scope="session")
def clips():
    return make_clips()


@pytest.fixture(scope="session")
def fitted(clips):
    return small(max_steps=16).fit(*clips)


@pytest.fixture
def recordings(tmp_path, clips):
    """The clips as wav files at twice the rate, half of them stereo."""
    X, y = clips
    paths = []
    for number, clip in enumerate(X):
        doubled = np.repeat(clip, 2)
        samples = np.stack([doubled, doubled], 1) if number % 2 else doubled
        paths.append(tmp_path / f"{number:02d}.wav")
        soundfile.write(paths[-1], samples, 2 * RATE)
    return paths, y
