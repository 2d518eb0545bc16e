"""A polite ceiling on requests per second. What does not belong here: waiting after failures (`client`)."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """Hands out turns that are evenly spaced, never saved up.

    Args:
        per_second: the most turns in a second; 0 means no ceiling.
        clock: seconds, monotonic.
        sleep: waits so many seconds.
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
        """Wait for the next turn. Turns are given in the order in which they were asked for."""
        if not self._gap:
            return
        now = self._clock()
        mine = max(now, self._next)
        self._next = mine + self._gap
        if mine > now:
            await self._sleep(mine - now)
