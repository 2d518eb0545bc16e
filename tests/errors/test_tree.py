"""The tree of errors: what each carries, also from one process to another."""

import pickle
from datetime import UTC, datetime

import pytest

from pipelines import errors
from pipelines.errors import OutcomeUnknown, TracklySyncError

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TracklySyncError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_crosses_between_processes(kind: type[TracklySyncError]) -> None:
    """Every error is pickled with its type, its message and its remedy."""
    copy = pickle.loads(pickle.dumps(kind("What.", "Do this.")))  # noqa: S301 - our own
    assert (type(copy), copy.message, copy.remedy, str(copy)) == (kind, "What.", "Do this.", "What. Do this.")


def test_an_unknown_outcome_crosses_with_its_figures() -> None:
    """How long the call lasted, when it was sent and with which status it ended are kept."""
    sent_at = datetime(2025, 3, 15, 14, 30, tzinfo=UTC)
    error = OutcomeUnknown("What.", "Do this.", seconds=1.5, sent_at=sent_at, status=404)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (copy.message, copy.seconds, copy.sent_at, copy.status) == ("What.", 1.5, sent_at, 404)
