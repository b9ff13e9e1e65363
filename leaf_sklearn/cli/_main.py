"""The command ``leaf-sklearn``."""

import sys
import warnings
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..compare._jobs import CLASSIFIERS, NAMES
from ._backend import add_backend_options
from ._commands import compare_command, demo_command, describe_kept, fit_command, transform_command
from ._inspect import inspect_command

DATA_HELP = (
    "a folder with one folder of audio files a class; or a CSV with the columns file and label (and split and group, "
    "where there are any); or a folder that holds such a metadata.csv"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 2 after a user's error, 130 after Ctrl-C."""
    arguments = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            arguments.run(arguments)
        except KeyboardInterrupt:
            sys.stderr.write(f"leaf-sklearn: interrupted: {describe_kept(arguments)}\n")
            return 130
        except (ValueError, OSError, ImportError, FloatingPointError) as error:
            sys.stderr.write(f"leaf-sklearn: error: {_one_line(error)}\n")
            return 2
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="leaf-sklearn",
        description="Compare audio frontends, learned and fixed, and make features with them.",
        epilog="examples:\n  leaf-sklearn demo\n  leaf-sklearn compare recordings --frontends mel,leaf --seeds 3",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"leaf-sklearn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_compare(commands)
    _add_demo(commands)
    _add_fit(commands)
    _add_transform(commands)
    _add_inspect(commands)
    return parser


def _add_compare(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add(
        commands,
        "compare",
        "Score frontends x classifiers x seeds on held-out clips.",
        """\
Every result is written into DIR/results.csv as it arrives. Stopped and started again, the same command goes on where
it was; more frontends, classifiers or seeds are added to what is there.

examples:
  leaf-sklearn compare recordings
  leaf-sklearn compare recordings --cv 5 --frontends mel,mel-pcen,leaf --n-jobs 2
  leaf-sklearn compare notes/metadata.csv --label pitch --out out/pitch
  leaf-sklearn compare words speakers birds --multitask --out out/together""",
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help=DATA_HELP)
    parser.add_argument(
        "--frontends",
        type=_names,
        default=["mel", "leaf"],
        metavar="A,B",
        help=f"some of {', '.join(NAMES)} (default: mel,leaf)",
    )
    parser.add_argument(
        "--classifiers",
        type=_names,
        default=["logreg", "svc"],
        metavar="A,B",
        help=f"some of {', '.join(CLASSIFIERS)} (default: logreg,svc)",
    )
    parser.add_argument("--seeds", type=_count, default=3, metavar="N", help="seeds of what is random (default: 3)")
    parser.add_argument(
        "--outputs",
        type=_names,
        default=["functionals"],
        metavar="A,B",
        help="functionals, embedding, or functionals joined by +, such as mean+std (default: functionals)",
    )
    parser.add_argument(
        "--cv",
        type=_count,
        metavar="K",
        help="folds, by groups where there are any; without it the data's own split, or 5",
    )
    parser.add_argument("--multitask", action="store_true", help="train one frontend on all DATA at once")
    add_backend_options(parser)
    parser.add_argument(
        "--keep-models", action="store_true", help="save the fitted frontends in DIR/models, as joblib files"
    )
    parser.add_argument(
        "--out", default="out/compare", metavar="DIR", help="folder for results and pictures (default: out/compare)"
    )
    _add_label(parser)
    _add_transformer_options(parser)
    parser.set_defaults(run=compare_command)


def _add_demo(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add(
        commands,
        "demo",
        "Compare mel with leaf on synthetic clips; needs no data.",
        "Takes a minute or two. example:\n  leaf-sklearn demo --out out/demo",
    )
    parser.add_argument(
        "--out", default="out/demo", metavar="DIR", help="folder for table and pictures (default: out/demo)"
    )
    parser.set_defaults(run=demo_command)


def _add_fit(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add(
        commands,
        "fit",
        "Train a frontend and save it.",
        """\
Clips whose split is "test" are not trained on; they score the features. A MODEL that ends in .safetensors is weights
and settings alone; any other name is a joblib pickle: loading one runs code, so load only files you trust.

examples:
  leaf-sklearn fit recordings --out model.safetensors
  leaf-sklearn fit recordings --out model.joblib""",
    )
    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    parser.add_argument("--out", required=True, metavar="MODEL", help="the file to write, such as model.safetensors")
    parser.add_argument("--frontend", default="leaf", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: leaf)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seeds the training (default: 0)")
    _add_label(parser)
    _add_transformer_options(parser)
    parser.set_defaults(run=fit_command)


def _add_transform(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add(
        commands,
        "transform",
        "Write the features of audio files by a saved model.",
        """\
TABLE.csv, .parquet or .npz gets a row a file: its name, then the named features. A folder gets any number of files in
memory that does not grow: features/part-*.parquet (file, start in seconds, features) and errors.csv; the same command
goes on where it was stopped or killed.

A MODEL that does not end in .safetensors is a joblib pickle: loading one runs code, so load only files you trust.

examples:
  leaf-sklearn transform model.safetensors new/*.wav --out features.csv
  leaf-sklearn transform model.safetensors folder list.csv --out features.parquet
  leaf-sklearn transform model.safetensors archive --out archive-features --segment 1.0 --hop 0.5 --on-error skip""",
    )
    parser.add_argument("model", metavar="MODEL", help="a file written by leaf-sklearn fit")
    parser.add_argument(
        "files", nargs="+", metavar="FILES", help="audio files, folders, or CSVs with a column file (or .txt lists)"
    )
    parser.add_argument(
        "--out", required=True, metavar="PLACE", help="a table (.csv, .parquet or .npz), or a folder for a corpus"
    )
    corpus = parser.add_argument_group("for a folder")
    corpus.add_argument("--segment", type=_seconds, metavar="S", help="a row for each window of S seconds")
    corpus.add_argument("--hop", type=_seconds, metavar="S", help="seconds from window to window (default: S)")
    corpus.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="at a bad file: stop and name it, or list it in errors.csv (default: stop)",
    )
    corpus.add_argument("--threads", type=_count, default=2, metavar="N", help="threads that decode ahead (default: 2)")
    add_backend_options(corpus)
    parser.set_defaults(run=transform_command)


def _add_inspect(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add(
        commands,
        "inspect",
        "Show what a saved model learned.",
        """\
Prints the filters that moved most and saves pictures of filters, training and, with --clip, features. A MODEL that does
not end in .safetensors is a joblib pickle: loading one runs code, so load only files you trust.

example:
  leaf-sklearn inspect model.joblib --clip recordings/robin/001.wav --out out/robin""",
    )
    parser.add_argument("model", metavar="MODEL", help="a file written by leaf-sklearn fit")
    parser.add_argument("--top", type=_count, default=10, metavar="N", help="filters to list (default: 10)")
    parser.add_argument("--clip", metavar="FILE", help="an audio file whose features are drawn, mel beside learned")
    parser.add_argument(
        "--out", default="out/inspect", metavar="DIR", help="folder for the pictures (default: out/inspect)"
    )
    parser.set_defaults(run=inspect_command)


def _add(commands: "_SubParsersAction[ArgumentParser]", name: str, summary: str, epilog: str) -> ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=summary, epilog=epilog, formatter_class=RawDescriptionHelpFormatter
    )


def _add_label(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--label", metavar="COLUMN", help="the CSV's column of labels, several a clip joined by ';' (default: label)"
    )


def _add_transformer_options(parser: ArgumentParser) -> None:
    parser.add_argument("--n-filters", type=_count, metavar="N", help="filters of each frontend (default: 40)")
    parser.add_argument("--max-steps", type=_count, metavar="N", help="mini-batches to train on (default: 480)")
    parser.add_argument(
        "--sample-rate", type=_count, metavar="HZ", help="rate that files are resampled to (default: 16000)"
    )
    parser.add_argument("--device", metavar="NAME", help="auto, cpu or cuda (default: auto)")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"got {text!r}, expected a whole number of 1 or more")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ArgumentTypeError(f"got {text!r}, expected a number of seconds above 0")
    return number


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"leaf-sklearn: warning: {_one_line(message)}\n")
