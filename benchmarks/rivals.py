"""What a user would pick instead, on the same splits: python benchmarks/rivals.py TASKS [--table].

Needs an environment of its own: pip install aeon opensmile librosa soundfile scikit-learn. Trained on train and valid,
scored on test: accuracy, or mAP for several labels a clip. Measures what results/rivals.csv does not hold yet and
writes the table into docs/benchmarks.md; --table only writes. openSMILE's licence allows no commercial use.
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
from _page import write_section
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.metrics import average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler
from sklearn.svm import SVC

HERE = Path(__file__).resolve().parent
COLUMNS = ("task", "rival", "classifier", "numbers", "score", "seconds")
TASKS = {  # name -> folder and table; two tables of one folder follow each other and share their features
    "keywords": ("keywords", "metadata.csv"),
    "speakers": ("speaker_id", "metadata.csv"),
    "emotion": ("emotion", "metadata.csv"),
    "birdsong": ("birdsong_detection", "metadata.csv"),
    "environment": ("environment", "metadata.csv"),
    "instruments": ("music_notes", "metadata.csv"),
    "pitch": ("music_notes", "metadata_pitch.csv"),
    "language": ("language", "metadata.csv"),
    "tagging": ("tagging", "metadata.csv"),
}
RATE = 16000
FRAMES = {"sr": RATE, "n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 40}


def load(folder, table):
    """Files, clips, labels and which are for training."""
    with (folder / table).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    clips = [soundfile.read(folder / row["file"], dtype="float32")[0] for row in rows]
    labels = [row["label"] for row in rows]
    several = any(";" in label for label in labels)
    y = MultiLabelBinarizer().fit_transform([label.split(";") for label in labels]) if several else np.array(labels)
    return [row["file"] for row in rows], clips, y, np.array([row["split"] != "test" for row in rows])


def moments(frames):
    """Mean and standard deviation over time: (F, T) -> (2 F,)."""
    return np.concatenate([frames.mean(1), frames.std(1)])


def log_mel(clips, is_train):
    """Mean and standard deviation of 40 log-mel bands."""
    return np.stack([moments(np.log(librosa.feature.melspectrogram(y=clip, **FRAMES) + 1e-6)) for clip in clips])


def mfcc(clips, is_train):
    """Mean and standard deviation of 20 coefficients."""
    return np.stack([moments(librosa.feature.mfcc(y=clip, n_mfcc=20, **FRAMES)) for clip in clips])


def smile(name):
    """Functionals of an openSMILE feature set."""
    extractor = opensmile.Smile(
        feature_set=getattr(opensmile.FeatureSet, name), feature_level=opensmile.FeatureLevel.Functionals
    )
    return lambda clips, is_train: np.nan_to_num(
        np.concatenate([extractor.process_signal(clip, RATE) for clip in clips])
    )


def rocket(clips, is_train):
    """MiniRocket's features of the padded clips; its biases come from the training clips."""
    longest = max(map(len, clips))
    padded = np.stack([np.pad(clip, (0, longest - len(clip))) for clip in clips])[:, None]
    return MiniRocket(n_kernels=10000, random_state=0).fit(padded[is_train]).transform(padded)


USUAL = {"logreg": LogisticRegression(max_iter=2000), "svc": SVC(C=10)}
RIDGE = {"ridge": RidgeClassifierCV(np.logspace(-3, 3, 10))}
# thousands of numbers want a stronger penalty
STRONG = {**USUAL, "logreg": LogisticRegression(max_iter=2000, C=0.1)}
RIVALS = {
    "log-mel of librosa, mean and std": (log_mel, USUAL),
    "20 MFCC, mean and std": (mfcc, USUAL),
    "openSMILE eGeMAPS": (smile("eGeMAPSv02"), USUAL),
    "openSMILE ComParE 2016": (smile("ComParE_2016"), STRONG),
    "MiniRocket and ridge": (rocket, RIDGE),
}


def score(model, features, y, is_train):
    """Accuracy or mAP on the test clips."""
    model = make_pipeline(StandardScaler(), OneVsRestClassifier(model) if y.ndim == 2 else model)
    model.fit(features[is_train], y[is_train])
    if y.ndim == 1:
        return model.score(features[~is_train], y[~is_train])
    return average_precision_score(y[~is_train], model.decision_function(features[~is_train]), average="macro")


def run(arguments, rows):
    """Measure what is missing."""
    known = {}
    for task in arguments.only_tasks:
        place = TASKS[task]
        missing = [rival for rival in arguments.rivals if not any(row[:2] == [task, rival] for row in rows)]
        if not missing:
            continue
        known = {key: found for key, found in known.items() if key[0] == place[0]}
        files, clips, y, is_train = load(arguments.tasks / place[0], place[1])
        for rival in missing:
            extract, classifiers = RIVALS[rival]
            key = (place[0], rival, tuple(files), tuple(is_train))
            if key not in known:
                started = time.process_time()
                features = extract(clips, is_train)
                known[key] = features, time.process_time() - started
            features, seconds = known[key]
            new = [
                [
                    task,
                    rival,
                    name,
                    str(features.shape[1]),
                    f"{score(classifier, features, y, is_train):.4f}",
                    f"{seconds:.0f}",
                ]
                for name, classifier in classifiers.items()
            ]
            with arguments.out.open("a", newline="") as stream:
                csv.writer(stream).writerows(new if rows else [COLUMNS, *new])
            rows += new
            for row in new:
                sys.stdout.write("  ".join(row) + "\n")
            sys.stdout.flush()


def table(rows):
    """One line a rival: the better classifier of each task in percent, and the mean of the accuracies."""
    lines = [
        "| | numbers | " + " | ".join(TASKS) + " | mean of accuracies | seconds |",
        "|---|" + "--:|" * (len(TASKS) + 3),
    ]
    for rival in RIVALS:
        found = {task: [row for row in rows if row[:2] == [task, rival]] for task in TASKS}
        measured = [each[0] for each in found.values() if each]
        if not measured:
            continue
        best = {task: 100 * max(float(row[4]) for row in each) for task, each in found.items() if each}
        accuracies = [best.get(task) for task in TASKS if task != "tagging"]
        cells = [f"{best[task]:.1f}" if task in best else "-" for task in TASKS]
        mean = "-" if None in accuracies else f"{np.mean(accuracies):.1f}"
        seconds = sum(float(row[5]) for row in measured if row[0] != "pitch")
        lines.append(f"| {rival} | {int(measured[0][3]):,} | {' | '.join(cells)} | {mean} | {seconds:.0f} |")
    return "\n".join(lines)


def main():
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", type=Path, help="folder of the task suite")
    parser.add_argument("--only-tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--rivals", nargs="+", default=list(RIVALS), choices=list(RIVALS))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "rivals.csv")
    parser.add_argument("--table", action="store_true", help="only write the page from what is there")
    arguments = parser.parse_args()
    rows = []
    if arguments.out.exists():
        with arguments.out.open(newline="") as stream:
            rows = list(csv.reader(stream))[1:]
    if not arguments.table:
        run(arguments, rows)
    write_section("rivals", table(rows), len(rows))


if __name__ == "__main__":
    main()
