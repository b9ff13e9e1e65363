"""The file of results and the tables made from it."""

import csv
import dataclasses
import subprocess
import sys
import textwrap
import time

import pytest
from helpers import ROOT

from leaf_sklearn.compare._results import ResultsFile, Row, dump_settings
from leaf_sklearn.compare._tables import summarize_rows, to_markdown

PACKAGE = ROOT / "leaf_sklearn"
SETTINGS = dump_settings({"version": "1", "cv": None, "n_filters": 4})


def row(**values):
    plain = {"task": "birds", "frontend": "mel", "classifier": "svc", "seed": 0, "fold": 0, "accuracy": 0.75}
    plain |= {"n_train": 60, "n_test": 20, "n_features": 12, "fit_seconds": 1.0, "transform_seconds": 0.5}
    plain |= {"balanced_accuracy": 0.5, "data": "abc", "settings": SETTINGS}
    return Row(**(plain | values))


def tags(**values):
    plain = {"task": "tags", "accuracy": None, "balanced_accuracy": None}
    plain |= {"mean_average_precision": 0.25, "auc": 0.75, "d_prime": 0.95}
    return row(**(plain | values))


def test_rows_come_back_as_they_went(tmp_path):
    file = ResultsFile(tmp_path / "results.csv")
    assert file.read() == []
    rows = [row(accuracy=0.1 + 0.2), row(task='a, "b"', seed=1), tags(d_prime=float("inf"))]
    file.append(rows[:1])
    file.append(rows[1:])
    assert file.read() == rows
    text = file.path.read_text()
    assert text.count("\n") == 4
    assert text.splitlines()[0].split(",") == [field.name for field in dataclasses.fields(Row)]


def test_a_row_may_be_longer_than_csv_s_limit(tmp_path):
    file, limit = ResultsFile(tmp_path / "results.csv"), csv.field_size_limit()
    file.append([tags(outcomes="x" * (limit + 1))])
    assert file.read() == [tags(outcomes="x" * (limit + 1))]
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("cut", [1, 40, 75])
def test_half_a_row_is_dropped(tmp_path, cut):
    file = ResultsFile(tmp_path / "results.csv")
    file.append([row(seed=0), row(seed=1)])
    content = file.path.read_bytes()
    file.path.write_bytes(content[:-cut])
    assert file.read() == [row(seed=0)]
    file.append([row(seed=1)])
    assert file.path.read_bytes() == content


def test_half_a_heading_is_dropped(tmp_path):
    file = ResultsFile(tmp_path / "results.csv")
    file.path.write_bytes(b"task,front")
    assert file.read() == []
    file.append([row()])
    assert file.read() == [row()]


def test_a_killed_process_leaves_whole_rows(tmp_path):
    code = f"""
        import runpy
        module = runpy.run_path({str(PACKAGE / "compare" / "_results.py")!r})
        file = module["ResultsFile"]({str(tmp_path / "results.csv")!r})
        for seed in range(10**6):
            file.append([module["Row"](**{dataclasses.asdict(row())!r} | {{"seed": seed}})])
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    file = ResultsFile(tmp_path / "results.csv")
    while process.poll() is None and len(file.read()) < 5:
        time.sleep(0.01)
    process.kill()
    process.wait()
    rows = file.read()
    assert len(rows) >= 5
    assert rows == [row(seed=seed) for seed in range(len(rows))]


def test_a_row_written_twice_counts_once(tmp_path):
    file = ResultsFile(tmp_path / "results.csv")
    file.append([row(), row(seed=1), row()])
    assert file.read() == [row(), row(seed=1)]


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "\x00\n", "task\nbirds\n"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "results.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"results.csv is no file of results"):
        ResultsFile(path).read()


def test_table_by_hand():
    rows = [
        row(seed=1, accuracy=0.5, balanced_accuracy=0.25, fit_seconds=3.0),
        row(seed=0, accuracy=1.0, balanced_accuracy=0.75),
        row(frontend="leaf", classifier="logreg"),
        tags(),
    ]
    expected = """\
| task  | frontend | classifier |      accuracy |      balanced | runs | fit s | transform s |
| ----- | -------- | ---------- | ------------: | ------------: | ---: | ----: | ----------: |
| birds | leaf     | logreg     |         0.750 |         0.500 |    1 |   1.0 |         0.5 |
| birds | mel      | svc        | 0.750 ± 0.354 | 0.500 ± 0.354 |    2 |   2.0 |         0.5 |

| task | frontend | classifier |   mAP |   AUC |    d' | runs | fit s | transform s |
| ---- | -------- | ---------- | ----: | ----: | ----: | ---: | ----: | ----------: |
| tags | mel      | svc        | 0.250 | 0.750 | 0.950 |    1 |   1.0 |         0.5 |
"""
    assert to_markdown(summarize_rows(rows, ["leaf", "mel"])).startswith(expected)
    in_other_order = summarize_rows(rows[::-1], ["mel", "leaf"])
    assert [line.frontend for line in in_other_order] == ["mel", "leaf", "mel"]
    assert in_other_order[0].values == (1.0, 0.5)


def test_interval_counts_each_test_clip_once():
    rows = [row(seed=seed, fold=fold, accuracy=0.5, n_test=50) for seed in range(3) for fold in range(2)]
    (line,) = summarize_rows(rows)
    assert (line.n_runs, line.n_test) == (6, 100)
    assert line.interval() == pytest.approx((0.4038, 0.5962), abs=1e-4)  # Wilson's for 50 of 100
    assert summarize_rows([row(accuracy=1.0, n_test=10)])[0].interval() == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert summarize_rows([tags()])[0].interval() is None
