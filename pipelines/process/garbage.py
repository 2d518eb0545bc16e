"""Makes garbage collection rare while many objects without cycles are made.

What does not belong here: what the command line sets for the whole process (`pipelines.cli`).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS_BETWEEN_LOOKS = 50_000
"""New objects after which Python looks for garbage among them."""

_SELDOM = 10_000
"""A process whose threshold is at least this has frozen imported objects already, as the command line does."""


@contextmanager
def little_garbage() -> Iterator[None]:
    """Collect garbage rarely during a block, and only among new objects, not imported ones.

    Decoded rows come in thousands and have no cycles: searching them takes 4% of a pull, and searching imported
    objects as much again. Both settings belong to the process and are restored when the block ends. If the process
    has frozen imported objects already, they stay frozen.
    """
    often = gc.get_threshold()
    # Python could count frozen objects, but visits each object for that: 17 ms of a pull
    is_set_aside = often[0] >= _SELDOM
    if not is_set_aside:
        gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS, *often[1:])
    try:
        yield
    finally:
        gc.set_threshold(*often)
        if not is_set_aside:
            gc.unfreeze()
