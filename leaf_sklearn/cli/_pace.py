"""How a transform of a corpus comes along: files a second, and a time left that follows the last minute."""

import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from ..corpus._corpus import Step

WINDOW_S = 60.0
"""The stretch that the pace is taken from: what happened before may have been faster or slower."""

PATIENCE_S = 3.0
"""No time left is told before this: the first files pay for the start."""

TERMINAL_S, LOG_S = 0.5, 10.0
"""Seconds between two signs of life, on a terminal and in a log."""


class Pace:
    """Bytes and files a second over the last minute of this run; files of earlier runs do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._points: deque[tuple[float, int, int]] = deque()

    def add(self, step: Step) -> None:
        """Take a step in."""
        now = self._clock()
        self._points.append((now, step.bytes_done, step.n_done))
        # one point before the window stays, for the window to be full
        while len(self._points) > 2 and self._points[1][0] <= now - WINDOW_S:
            self._points.popleft()

    def files_per_second(self) -> float | None:
        """Files of the last minute, a second; None where it is too early to tell."""
        return self._rate(2)

    def seconds_left(self, step: Step) -> float | None:
        """Tell the time that the bytes left take at this pace; None where it is too early to tell."""
        rate = self._rate(1)
        return None if not rate else max(0, step.n_bytes - step.bytes_done) / rate

    def _rate(self, column: int) -> float | None:
        first, last = self._points[0], self._points[-1]
        elapsed = last[0] - first[0]
        return None if elapsed < PATIENCE_S else (last[column] - first[column]) / elapsed


class CorpusDisplay:
    """Writes steps to a stream: one line that changes on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock, self._pace = stream, clock, Pace(clock)
        self._is_terminal = stream.isatty()
        self._told: float | None = None

    def __call__(self, step: Step) -> None:
        """Show a step, where it is time to."""
        now = self._clock()
        is_first, is_last = self._told is None, step.n_done == step.n_files
        if is_first and step.n_before:
            self._stream.write(f"{step.n_before:,} of {step.n_files:,} files were done already\n")
        is_due = self._told is None or now - self._told >= (TERMINAL_S if self._is_terminal else LOG_S)
        if is_due or is_last:
            self._pace.add(step)
        if (is_due and not is_first) or (is_last and step.n_done > step.n_before):
            line = describe(step, self._pace)
            self._stream.write(f"\r{line:<100}" + ("\n" if is_last else "") if self._is_terminal else f"{line}\n")
            self._stream.flush()
        if is_due:
            self._told = now


def describe(step: Step, pace: Pace) -> str:
    """Say how far it is, how fast it goes and how long it takes, in one line."""
    parts = [f"{step.n_done:,} of {step.n_files:,} files"]
    rate, left = pace.files_per_second(), pace.seconds_left(step)
    if rate is not None:
        parts.append(f"{rate:.3g} files/s")
    if step.n_done < step.n_files:
        parts.append("time left not known yet" if left is None else f"about {duration(left)} left")
    if step.n_bad:
        parts.append(f"{step.n_bad:,} bad")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Tell seconds in the units that matter: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
