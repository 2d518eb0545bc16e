"""Runs work with a profiler that sees each call, in all threads: which way data goes through the code."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


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
