"""Runs work with a profiler that sees each call, in all threads: which way data goes through the code."""

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
Called = tuple[str, str]
"""A function, by its file and its name there."""


def steps_below(heading: str) -> list[Called]:
    """The functions that the table of steps below a heading of docs/architecture.md names, in order."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition(f"## {heading}")[2].partition("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if re.match(r"\| \d+ \|", line))
    return re.findall(r"`(pipelines/[\w/]+\.py)::([\w.]+)`", table)


class Begun:
    """Tells calls from generators and coroutines that go on."""

    def __init__(self) -> None:
        self._suspended: list[FrameType] = []

    def __call__(self, frame: FrameType) -> bool:
        """Whether the function begins; ask once a call."""
        if frame in self._suspended:
            return False
        if frame.f_code.co_flags & 0x2A0:  # generators and coroutines
            self._suspended.append(frame)
        return True


class Steps:
    """A profiler that notes each call of certain functions, in order."""

    def __init__(self, named: list[Called]) -> None:
        self.entered: list[Called] = []
        self._named = frozenset(named)
        self._begun = Begun()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        called = (frame.f_code.co_filename.removeprefix(f"{ROOT}/"), frame.f_code.co_qualname)
        if event == "call" and called in self._named and self._begun(frame):
            self.entered.append(called)


def profiled(tracer: Callable[[FrameType, str, Any], None], work: Callable[[], object]) -> None:
    """Do some work, with a profiler in this thread and in those that it starts."""
    before = sys.getprofile(), threading.getprofile()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        work()
    finally:
        sys.setprofile(before[0])
        threading.setprofile(before[1])
