"""How often Python looks for garbage while much is made that has none.

What does not belong here: what the command line sets for the whole process (`pipelines.cli`).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS_BETWEEN_LOOKS = 50_000
"""New objects after which Python looks for garbage among them."""

_WORTH_SETTING_ASIDE = 50_000
"""With fewer objects that are old, there is nothing to gain: their owner has set them aside, or imported little."""

_AT_A_START = 10_000
"""More objects than Python itself sets aside when it starts."""


@contextmanager
def little_garbage() -> Iterator[None]:
    """Look for garbage seldom, and only among what comes from now on, not among all that was imported.

    Decoded rows come in thousands and have no cycles: looking through them takes 4% of a pull, and through what was
    imported as much again. Both settings are the process's, and are as before when the block ends. Where its owner
    has set imports aside already, as the command line does, they stay so.
    """
    # to count what is set aside is to look at each of it, which takes longer than all else here
    has_little = len(gc.get_objects(generation=2)) < _WORTH_SETTING_ASIDE
    often, set_aside = gc.get_threshold(), has_little or gc.get_freeze_count() > _AT_A_START
    if not set_aside:
        gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS, *often[1:])
    try:
        yield
    finally:
        gc.set_threshold(*often)
        if not set_aside:
            gc.unfreeze()
