"""The share of rows left out beyond which a push ends with 3 (TRACKLY_PUSH_LEFT_OUT_SHARE).

What does not belong here: which outcomes are left out (`schemas.values.outcomes`), and the messages about it.
"""

from schemas.values.shares import is_beyond


def is_over_limit(rows: int, left_out: int, differing: int, limit: float) -> bool:
    """Return whether more rows were left out than the limit allows.

    Args:
        rows: rows of the input.
        left_out: how many of them were left out.
        differing: how many more differ from what was sent.
        limit: the largest share that is allowed, 0 to 1.
    """
    return is_beyond(left_out + differing, rows, limit)
