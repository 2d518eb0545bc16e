"""Figures of a receiver for commands that must start fast; read without SQLAlchemy from an SQLite file.

What does not belong here: anything that imports SQLAlchemy, and the bodies (`store`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipelines.databases.sqlite_reader import Remedies, asking
from pipelines.settings import Settings
from pipelines.text.urls import plain_file

VERSION = 1
"""Of the tables."""

NUMBERS = ("change", "arrivals", "last_at", "beat_at", "serving", "unsigned", "wrongly_signed", "unstored")
"""Names of the stored numbers."""

REMEDIES = Remedies(
    "See that it can be reached and written to, and that there is room; what was answered with 2xx is there.",
    "Stop the receiver and put a backup back, or move it away with every file whose name begins like its own: events "
    "that are not in the warehouse yet are lost with it.",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Received:
    """A receiver's figures for other processes; times are aware.

    Attributes:
        since: when the last event came; without events, when the queue was made.
        bodies: number of bodies received, repeats included.
        beat_at: when a receiver last showed that it can store events; None before that.
        serving: whether it was running when it last recorded this; a killed receiver could not record its end.
        unsigned: requests refused without a signature.
        wrongly_signed: requests refused for a wrong one.
        unstored: events that could not be stored, and were answered with 503.
    """

    since: datetime
    bodies: int
    beat_at: datetime | None
    serving: bool
    unsigned: int
    wrongly_signed: int
    unstored: int

    @classmethod
    def of(cls, state: Mapping[str, int]) -> "Received":
        """Build the figures from the numbers of webhook_state."""
        return cls(
            since=instant(state["last_at"] or state["queue"]),
            bodies=state["arrivals"],
            beat_at=instant(state["beat_at"]) if state["beat_at"] else None,
            serving=bool(state["serving"]),
            **{name: state[name] for name in ("unsigned", "wrongly_signed", "unstored")},
        )


def instant(microseconds: int) -> datetime:
    """Return a time in microseconds since 1970 as an aware datetime."""
    return _EPOCH + timedelta(microseconds=microseconds)


def received(settings: Settings) -> Received | None:
    """Return a receiver's figures; None if there never was one.

    Raises:
        StorageError: the queue cannot be read, or a newer program wrote it.
    """
    file = plain_file(settings.webhook_store)
    if file and not file.exists():
        return None
    if file:
        with asking(file, REMEDIES) as ask:
            if ask("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'webhook_state'"):
                state = {
                    str(name): int(number) for name, number in ask("SELECT name, number FROM webhook_state")
                }
                if state.get("version") == VERSION:
                    return Received.of(state)
    from pipelines.webhooks.queue.store import existing_store  # noqa: PLC0415 - SQLAlchemy takes a third of a start

    with existing_store(settings) as store:
        return None if store is None else store.received()
