"""Which worker may make the next call: any, or only one while it is unknown whether calls are answered.

What does not belong here: when only one may (`sizes`), and the calls (`send.sender`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipelines.push.send.calls.sizes import Sizes


class Turns:
    """The turns of the workers of one dataset.

    Attributes:
        under_way: the number of calls under way.
    """

    def __init__(self, sizes: Sizes) -> None:
        self.under_way = 0
        self._sizes = sizes
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and keep it during the block."""
        async with self._changed:
            await self._changed.wait_for(lambda: not (self._sizes.alone and self.under_way))
            self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            async with self._changed:
                self._changed.notify_all()
