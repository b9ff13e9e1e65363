"""What a user would pick instead, on the same splits: python benchmarks/rivals.py TASKS.

Needs an environment of its own: pip install aeon opensmile librosa soundfile scikit-learn. Trained on train and valid,
scored on test: accuracy, or mAP for several labels a clip. openSMILE's licence allows no commercial use.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import librosa
import numpy as np
import opensmile
import soundfile
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.metrics import average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler
from sklearn.svm import SVC

TASKS = (
    ("keywords", "metadata.csv"),
    ("speaker_id", "metadata.csv"),
    ("emotion", "metadata.csv"),
    ("birdsong_detection", "metadata.csv"),
    ("environment", "metadata.csv"),
    ("music_notes", "metadata.csv"),
    ("music_notes", "metadata_pitch.csv"),
    ("language", "metadata.csv"),
    ("tagging", "metadata.csv"),
)
RATE = 16000


def load(folder, table):
    """Clips, labels and which are for training."""
    with (folder / table).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    clips = [soundfile.read(folder / row["file"], dtype="float32")[0] for row in rows]
    labels = [row["label"] for row in rows]
    several = any(";" in label for label in labels)
    y = MultiLabelBinarizer().fit_transform([label.split(";") for label in labels]) if several else np.array(labels)
    return clips, y, np.array([row["split"] != "test" for row in rows])


def mfcc(clips):
    """Mean and standard deviation of 20 coefficients."""
    found = []
    for clip in clips:
        frames = librosa.feature.mfcc(y=clip, sr=RATE, n_fft=512, hop_length=160, win_length=400, n_mels=40, n_mfcc=20)
        found.append(np.concatenate([frames.mean(1), frames.std(1)]))
    return np.stack(found)


def smile(name):
    """Functionals of an openSMILE feature set."""
    extractor = opensmile.Smile(
        feature_set=getattr(opensmile.FeatureSet, name), feature_level=opensmile.FeatureLevel.Functionals
    )
    return lambda clips: np.nan_to_num(np.concatenate([extractor.process_signal(clip, RATE) for clip in clips]))


def score(model, features, y, is_train):
    """Accuracy or mAP on the test clips."""
    model.fit(features[is_train], y[is_train])
    if y.ndim == 1:
        return model.score(features[~is_train], y[~is_train])
    return average_precision_score(y[~is_train], model.decision_function(features[~is_train]), average="macro")


def tell(*fields):
    """Print one line of results as CSV."""
    csv.writer(sys.stdout).writerow(fields)
    sys.stdout.flush()


def main():
    """Print one line a task, rival and classifier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path)
    arguments = parser.parse_args()
    extractors = {"MFCC": mfcc, "eGeMAPS": smile("eGeMAPSv02"), "ComParE": smile("ComParE_2016")}
    tell("task", "rival", "classifier", "numbers", "score", "seconds")
    for name, table in TASKS:
        task = name if table == "metadata.csv" else f"{name}/{table}"
        clips, y, is_train = load(arguments.tasks / name, table)
        for rival, extract in extractors.items():
            started = time.perf_counter()
            features = extract(clips)
            seconds = time.perf_counter() - started
            # thousands of features want a stronger penalty
            classifiers = {"logreg": LogisticRegression(max_iter=2000, C=0.1 if rival == "ComParE" else 1.0)}
            classifiers["svc"] = SVC(C=10)
            for how, classifier in classifiers.items():
                model = OneVsRestClassifier(classifier) if y.ndim == 2 else classifier
                value = score(make_pipeline(StandardScaler(), model), features, y, is_train)
                tell(task, rival, how, features.shape[1], f"{value:.4f}", f"{seconds:.0f}")
        longest = max(map(len, clips))
        padded = np.stack([np.pad(clip, (0, longest - len(clip))) for clip in clips])[:, None]
        started = time.perf_counter()
        rocket = MiniRocket(n_kernels=10000, random_state=0).fit(padded[is_train])
        features = rocket.transform(padded)
        seconds = time.perf_counter() - started
        ridge = RidgeClassifierCV(np.logspace(-3, 3, 10))
        model = OneVsRestClassifier(ridge) if y.ndim == 2 else ridge
        value = score(make_pipeline(StandardScaler(with_mean=False), model), features, y, is_train)
        tell(task, "MiniRocket", "ridge", features.shape[1], f"{value:.4f}", f"{seconds:.0f}")


if __name__ == "__main__":
    main()
