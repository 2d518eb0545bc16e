"""How often Python looks for garbage while much is made that has none.

What does not belong here: what the command line sets for the whole process (`pipelines.cli`).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS_BETWEEN_LOOKS = 50_000
"""New objects after which Python looks for garbage among them."""

_SELDOM = 10_000
"""Who lets Python look no more often than after so many has set aside what was imported, as the command line does."""


@contextmanager
def little_garbage() -> Iterator[None]:
    """Look for garbage seldom, and only among what comes from now on, not among all that was imported.

    Decoded rows come in thousands and have no cycles: looking through them takes 4% of a pull, and through what was
    imported as much again. Both settings are the process's, and are as before when the block ends. Where its owner
    has set imports aside already, they stay so.
    """
    often = gc.get_threshold()
    # Python could count what is set aside, but looks at each object for that: 17 ms of a pull
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
