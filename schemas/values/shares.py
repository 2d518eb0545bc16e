"""Compares shares of rows with a limit as a person writes it.

What does not belong here: the limits (`pipelines.settings`), and the consequences.
"""


def is_beyond(part: int, whole: int, limit: float) -> bool:
    """Whether a share is larger than a limit.

    Args:
        part: number of some rows.
        whole: number of all rows; 0 counts as 1.
        limit: from 0 to 1. A share that is exactly the limit is not beyond it: 29 of 100 are 0.29, while 0.29 * 100
            is a little less than 29.
    """
    return part / max(whole, 1) > limit
