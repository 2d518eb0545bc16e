"""A share that is written as its limit is not beyond it."""

from schemas.values.shares import is_beyond


def test_a_share_is_held_against_its_limit_as_it_is_written() -> None:
    """For each limit of two and three decimals: so many are within, one more is beyond."""
    limits = [(part, whole, float(f"{part / whole:.3f}")) for whole in (100, 1_000) for part in range(whole)]
    assert [one for one in limits if is_beyond(*one)] == []
    assert [(part, whole) for part, whole, limit in limits if not is_beyond(part + 1, whole, limit)] == []
    assert any(part > limit * whole for part, whole, limit in limits)  # as 29 of 100 by a product


def test_of_no_rows_one_is_everything() -> None:
    """No row is within any limit."""
    assert not is_beyond(0, 0, 0.0)
    assert is_beyond(1, 0, 0.99)
