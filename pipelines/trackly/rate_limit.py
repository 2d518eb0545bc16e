"""Limits the requests per second. What does not belong here: waiting after failures (`client`)."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """Gives turns that are evenly spaced; unused turns are not saved.

    Args:
        per_second: most turns per second; 0 for no limit.
        clock: returns monotonic seconds.
        sleep: waits the given seconds.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn. Turns are given in the order of the calls."""
        if not self._gap:
            return
        now = self._clock()
        mine = max(now, self._next)
        self._next = mine + self._gap
        if mine > now:
            await self._sleep(mine - now)
