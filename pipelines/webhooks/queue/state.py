"""What a receiver has left on record, for commands that answer at once: read without SQLAlchemy where it is a file.

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
"""What is counted or noted, by name."""

REMEDIES = Remedies(
    "See that it can be reached and written to, and that there is room; what was answered with 2xx is there.",
    "Stop the receiver and put a backup back, or move it away with every file whose name begins like its own: events "
    "that are not in the warehouse yet are lost with it.",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver has left on record, for who looks from outside; times are aware.

    Attributes:
        since: when the last event came; where none did, since when there is a queue.
        bodies: how many came, repeats included.
        beat_at: when a receiver last showed that it can store events; None before that.
        serving: whether it runs, as it recorded last: one that was killed could not.
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
        """From the numbers of webhook_state, by name."""
        return cls(
            since=instant(state["last_at"] or state["queue"]),
            bodies=state["arrivals"],
            beat_at=instant(state["beat_at"]) if state["beat_at"] else None,
            serving=bool(state["serving"]),
            **{name: state[name] for name in ("unsigned", "wrongly_signed", "unstored")},
        )


def instant(microseconds: int) -> datetime:
    """A time in microseconds since 1970 as an aware one."""
    return _EPOCH + timedelta(microseconds=microseconds)


def received(settings: Settings) -> Received | None:
    """What a receiver has left on record; None where there never was one.

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
