"""Shares of rows, held against a limit as a person writes it.

What does not belong here: the limits (`pipelines.settings`), and what follows where one is passed.
"""


def is_beyond(part: int, whole: int, limit: float) -> bool:
    """Whether a share is larger than a limit.

    Args:
        part: some of the rows.
        whole: all of them; of none, one row is everything.
        limit: from 0 to 1. A share that is exactly the limit is not beyond it: 29 of 100 are 0.29, while 0.29 * 100
            is a little less than 29.
    """
    return part / max(whole, 1) > limit
