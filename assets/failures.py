"""Our errors as Dagster shows them: what went wrong and what to do, not a stack.

What must not go in: retries. One layer retries, and that is the client's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.errors import TracklySyncError


@contextmanager
def told() -> Iterator[None]:
    """Turn an error of the tree into a Failure that carries its remedy and exit code, and is not retried.

    Raises:
        Failure: in place of a TracklySyncError.
    """
    try:
        yield
    except TracklySyncError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"remedy": error.remedy or "-", "exit_code": error.exit_code},
            allow_retries=False,
        ) from None
