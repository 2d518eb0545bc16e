"""The ceiling on requests per second, with a clock of its own."""

import asyncio

import pytest

from pipelines.trackly.rate_limit import Pace


class Clock:
    """Stands still unless moved, and notes the waits asked for."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def test_turns_are_evenly_spaced() -> None:
    """At four per second, turns asked for at once come a quarter of a second apart."""
    clock = Clock()
    pace = Pace(4, clock=lambda: clock.now, sleep=clock.sleep)

    async def run() -> None:
        await asyncio.gather(*(pace.turn() for _ in range(4)))

    asyncio.run(run())
    assert clock.waits == pytest.approx([0.25, 0.5, 0.75])


def test_turns_are_not_saved_up() -> None:
    """After a quiet time there is no burst."""
    clock = Clock()
    pace = Pace(2, clock=lambda: clock.now, sleep=clock.sleep)

    async def run() -> None:
        await pace.turn()
        clock.now += 60
        await pace.turn()
        await pace.turn()

    asyncio.run(run())
    assert clock.waits == pytest.approx([0.5])


def test_no_ceiling_means_no_waiting() -> None:
    """Zero means none."""
    clock = Clock()
    asyncio.run(Pace(0, clock=lambda: clock.now, sleep=clock.sleep).turn())
    assert clock.waits == []
