"""The time left follows the pace of the last minute, and is not told before it is known."""

import io

import pytest

from leaf_sklearn.cli._pace import CorpusDisplay, Pace, describe, duration
from leaf_sklearn.corpus._corpus import Step


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def step(n_done, n_files=1_000, size=10, n_before=0, n_bad=0):
    return Step(n_done, n_files, n_done * size, n_files * size, n_before, n_bad)


def test_the_time_left_is_right_at_an_even_pace_and_unknown_at_first():
    clock = Clock()
    pace = Pace(clock)
    for n_done in range(0, 500, 2):
        clock.now = n_done / 4
        pace.add(step(n_done))
        if clock.now < 3:
            assert pace.seconds_left(step(n_done)) is None
        else:
            assert pace.seconds_left(step(n_done)) == pytest.approx((1_000 - n_done) / 4)
            assert pace.files_per_second() == pytest.approx(4)


def test_the_time_left_goes_by_bytes_and_by_the_last_minute():
    clock = Clock()
    pace = Pace(clock)
    n_bytes = 1_000 * 10 + 100 * 1_000
    for n_done in range(1_100):
        bytes_done = 10 * min(n_done, 1_000) + 1_000 * max(0, n_done - 1_000)
        clock.now += 0.01 if n_done <= 1_000 else 1.0
        pace.add(Step(n_done, 1_100, bytes_done, n_bytes, 0, 0))
    # long after the small files, only the pace of the large ones counts
    assert pace.seconds_left(Step(1_099, 1_100, n_bytes - 1_000, n_bytes, 0, 0)) == pytest.approx(1.0)


def test_files_of_earlier_runs_do_not_count():
    clock = Clock()
    pace = Pace(clock)
    for n_done in (900, 901, 902):
        clock.now += 10
        pace.add(step(n_done, n_before=900))
    assert pace.seconds_left(step(902)) == pytest.approx(980)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream, n_before=0, seconds=30):
    clock = Clock()
    display = CorpusDisplay(stream, clock)
    for n_done in range(n_before, 1_001):
        clock.now = (n_done - n_before) * seconds / max(1, 1_000 - n_before)
        display(step(n_done, n_before=n_before, n_bad=n_done // 400))
    return stream.getvalue()


def test_a_log_gets_a_line_every_ten_seconds():
    lines = shown(io.StringIO()).splitlines()
    assert lines == [
        "334 of 1,000 files, 33.3 files/s, about 20 s left",
        "668 of 1,000 files, 33.3 files/s, about 10 s left, 1 bad",
        "1,000 of 1,000 files, 33.3 files/s, 2 bad",
    ]


def test_a_terminal_gets_one_line_that_changes():
    text = shown(Terminal())
    assert text.count("\n") == 1 and text.endswith("\n")
    assert 50 < text.count("\r") < 70
    assert text.split("\r")[1].startswith("17 of 1,000 files, time left not known yet")


def test_what_was_done_before_is_told():
    assert shown(io.StringIO(), n_before=600).splitlines()[0] == "600 of 1,000 files were done already"
    assert shown(io.StringIO(), n_before=1_000, seconds=0).splitlines() == ["1,000 of 1,000 files were done already"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (5_300, "88 min"), (12_000, "3 h 20 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_step_without_a_pace():
    pace = Pace(Clock())
    pace.add(step(0))
    assert describe(step(0), pace) == "0 of 1,000 files, time left not known yet"
