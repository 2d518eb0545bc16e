"""Runs coroutines concurrently; the first failure stops the others and is raised unchanged."""

import asyncio
from collections.abc import Coroutine, Iterable


async def run_all(coroutines: Iterable[Coroutine[None, None, None]]) -> None:
    """Run coroutines to their end; when one fails, cancel the others and raise its error.

    A TaskGroup raises a group even for one failure, and callers need the one error with its remedy.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except ExceptionGroup as failures:
        # `except*` would work, but before Python 3.11.4 its error is wrapped in a group again
        error: Exception = failures
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from error.__cause__
