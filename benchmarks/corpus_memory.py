"""Peak memory of `leaf-sklearn transform` by number and length of files: `python benchmarks/corpus_memory.py`."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from leaf_sklearn import LeafTransformer

RUN = """
import sys
from pathlib import Path
from leaf_sklearn.cli import main
status = main(sys.argv[1:])
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(peak.split()[1]) // 1024)
sys.exit(status)
"""


def peak(*arguments):
    """Peak resident memory of the command in MiB."""
    command = [sys.executable, "-c", RUN, "transform", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.splitlines()[-1])


def write_hours(path, hours, rate):
    minute = np.random.default_rng(0).normal(0, 0.1, 60 * rate).astype(np.float32)
    with soundfile.SoundFile(path, "w", rate, 1) as file:
        for _ in range(round(60 * hours)):
            file.write(minute)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        LeafTransformer(n_filters=40).fit([np.zeros(16_000)]).save(folder / "leaf.safetensors")
        soundfile.write(folder / "second.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
        print("| corpus | windows | peak memory, MiB |\n|---|---|---|")
        for n_files in (10, 10_000, 30_000):
            (folder / "list.txt").write_text("second.wav\n" * n_files)
            found = peak(folder / "leaf.safetensors", folder / "list.txt", "--out", folder / f"out{n_files}")
            print(f"| {n_files:,} files of 1 s, 16 kHz | none | {found} |", flush=True)
        windows = ("--segment", "1.0", "--hop", "0.5")
        for number, (hours, options) in enumerate([(0.25, windows), (1, windows), (0.25, ())]):
            write_hours(folder / "long.wav", hours, 48_000)
            place = folder / f"long{number}"
            found = peak(folder / "leaf.safetensors", folder / "long.wav", "--out", place, *options)
            shown = "1 s every 0.5 s" if options else "none"
            print(f"| 1 file of {hours:g} h, 48 kHz | {shown} | {found} |", flush=True)


if __name__ == "__main__":
    main()
