"""Coroutines side by side: the first failure ends the others, and comes out as itself."""

import asyncio

import pytest

from pipelines.errors import StorageError
from pipelines.process.concurrent import run_all


def test_the_first_failure_is_raised_as_itself() -> None:
    """Also where others fail as they are stopped, or are such groups themselves; its cause stays."""
    stopped: list[str] = []

    async def failing() -> None:
        raise StorageError("No room.") from OSError("full")

    async def waiting() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append("waiting")
            raise ValueError

    async def nested() -> None:
        raise ExceptionGroup("several", [ExceptionGroup("one", [StorageError("No room.")])])

    for first in (failing, nested):
        with pytest.raises(StorageError, match=r"No room\.") as found:
            asyncio.run(run_all([first(), waiting()]))
        assert isinstance(found.value.__cause__, OSError) == (first is failing)
    assert stopped == ["waiting", "waiting"]
