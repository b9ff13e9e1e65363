"""What a user would pick instead, timed beside this package: python benchmarks/rivals_speed.py [threads].

Needs an environment of its own: pip install speechbrain torchaudio nnaudio aeon opensmile librosa scikit-learn, and
this package in it. Milliseconds per second of 16 kHz audio, 16 clips of one second, medians of rounds in which every
method runs once.
"""

import sys
import time
from collections.abc import Callable

import librosa
import numpy as np
import opensmile
import torch
import torchaudio
from aeon.transformations.collection.convolution_based import MiniRocket
from nnAudio.features import MelSpectrogram
from speechbrain.lobes.features import Leaf

from leaf_sklearn import LeafTransformer, MelTransformer

RATE, N_CLIPS, ROUNDS = 16000, 16, 5
MEL = {"n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 40}


def methods() -> dict[str, Callable[[], object]]:
    """Each method on the same clips."""
    clips = np.random.default_rng(0).standard_normal((N_CLIPS, RATE)).astype(np.float32) * 0.1
    tensor = torch.from_numpy(clips)
    ours = {
        "this package, LEAF": LeafTransformer(device="cpu").fit(clips),
        "this package, log-mel": MelTransformer(device="cpu").fit(clips),
    }
    mel = torchaudio.transforms.MelSpectrogram(RATE, **MEL)
    nnaudio = MelSpectrogram(sr=RATE, verbose=False, **MEL)
    speechbrain = Leaf(out_channels=40, in_channels=1, sample_rate=RATE, min_freq=60.0, max_freq=7800.0)
    rocket = MiniRocket(n_kernels=10000, random_state=0).fit(clips[:, None])
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)

    def librosa_mel() -> list[np.ndarray]:
        return [librosa.feature.melspectrogram(y=clip, sr=RATE, **MEL) for clip in clips]

    return {
        **{name: lambda model=model: model.transform_frames(clips) for name, model in ours.items()},
        "speechbrain Leaf": lambda: speechbrain(tensor[:, :, None]),
        "librosa log-mel": lambda: [librosa.power_to_db(spectrum) for spectrum in librosa_mel()],
        "librosa PCEN of mel": lambda: [librosa.pcen(spectrum) for spectrum in librosa_mel()],
        "torchaudio log-mel": lambda: torch.log(mel(tensor) + 1e-6),
        "nnAudio log-mel": lambda: torch.log(nnaudio(tensor) + 1e-6),
        "aeon MiniRocket, 10,000 kernels": lambda: rocket.transform(clips[:, None]),
        "openSMILE eGeMAPS": lambda: [smile.process_signal(clip, RATE) for clip in clips],
    }


def main() -> None:
    """Print the table."""
    n_threads, chosen = int(sys.argv[1]) if len(sys.argv) > 1 else 1, methods()
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with torch.no_grad():
        for turn in range(ROUNDS + 1):
            for name, method in chosen.items():
                torch.set_num_threads(n_threads)  # some methods change it
                start = time.perf_counter()
                method()
                if turn:
                    seconds[name].append(time.perf_counter() - start)
    own = np.median(seconds["this package, LEAF"])
    print(f"torch {torch.__version__}; threads: {n_threads}\n")
    print("| 16 x 1 s | ms per second of audio | against LEAF here |\n|---|--:|--:|")
    for name, values in seconds.items():
        print(f"| {name} | {1e3 * np.median(values) / N_CLIPS:.2f} | {np.median(values) / own:.1f} |")


if __name__ == "__main__":
    main()
