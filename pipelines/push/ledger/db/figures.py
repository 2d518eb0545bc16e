"""The figures of the ledger that must be read fast: counts, calls and open alarms, as SQL that every driver takes.

`status`, `rejects` and `alerts` read an SQLite file without SQLAlchemy (`databases.sqlite_reader`), a push reads
within its transaction (`engine.ask`): both run the same statements. What does not belong here: anything that imports
SQLAlchemy or duckdb, and all other queries (`queries`).
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from pipelines.databases.sqlite_reader import Ask
from pipelines.push.ledger.db.call_states import REVENUE, VERSION, of_call
from pipelines.push.outcomes import UNSETTLED, Outcome, Outcomes
from schemas.values.outcomes import sql_list

_HELD = ("quarantined", "duplicate", "parked")
_INTAKES = f"SELECT dataset, rows_in, {', '.join(_HELD)} FROM push_intakes WHERE part = :part"
_DIFFERING = "SELECT dataset, differs FROM push_intakes WHERE part = :part"
_REVENUE_ROWS = "SELECT identity FROM push_rows WHERE dataset = :dataset"
_FIRST = "SELECT coalesce(first_taken_in_at, taken_in_at) FROM push_intakes WHERE dataset = :dataset AND part = :part"
_BY_CALL = 'SELECT dataset, state, sum("current") FROM push_chunks WHERE part = :part GROUP BY dataset, state'
_BY_ROW = (
    "SELECT push_rows.dataset, push_rows.outcome, count(*) FROM push_rows"
    " JOIN push_chunks ON push_chunks.chunk = push_rows.chunk"
    ' WHERE push_rows.outcome IS NOT NULL AND push_rows."current" AND push_chunks.part = :part'
    " GROUP BY push_rows.dataset, push_rows.outcome"
)

_BY_HAND = (
    "SELECT count(*) FROM push_rows JOIN push_chunks ON push_chunks.chunk = push_rows.chunk"
    f" WHERE push_rows.dataset = :dataset AND push_rows.outcome = '{Outcome.IN_DOUBT}' AND push_chunks.part = :part"
    f" AND (coalesce(push_rows.code, '') NOT IN {sql_list(UNSETTLED)} OR push_chunks.reading IS NULL)"
)

_CALLS_NOW = (
    "SELECT dataset, state, count(*), max(chunk), max(answered_at) FROM push_chunks WHERE part = :part"
    " GROUP BY dataset, state"
)
_ROWS_NOW = (
    "SELECT push_rows.dataset, push_rows.outcome, push_rows.code, count(*) FROM push_rows"
    " JOIN push_chunks ON push_chunks.chunk = push_rows.chunk"
    " WHERE push_rows.outcome IS NOT NULL AND push_chunks.part = :part"
    " GROUP BY push_rows.dataset, push_rows.outcome, push_rows.code"
)
_INPUT_NOW = f"SELECT dataset, rows_in, {', '.join(_HELD)}, differs FROM push_intakes WHERE part = :part"

_DOUBT_OUTSIDE = (
    "SELECT push_rows.dataset, count(*) FROM push_rows JOIN push_chunks ON push_chunks.chunk = push_rows.chunk"
    f" WHERE push_rows.outcome = '{Outcome.IN_DOUBT}' AND NOT push_rows.\"current\" AND push_chunks.part = :part"
    " GROUP BY push_rows.dataset"
)

_FOUND_TWICE = (
    "SELECT count(DISTINCT identity), count(DISTINCT chunk),"
    " count(DISTINCT CASE WHEN chunk IS NULL THEN identity END), count(DISTINCT contact), coalesce(sum(amount), 0),"
    " min(found_at) FROM push_repeated WHERE acknowledged_at IS NULL"
)
_NAMED_TWICE = (
    "SELECT DISTINCT push_repeated.identity, push_repeated.contact, push_repeated.amount, push_chunks.chunk,"
    " coalesce(push_chunks.sent_at, push_chunks.intended_at) FROM push_repeated"
    " JOIN push_rows ON push_rows.dataset = :dataset AND push_rows.identity = push_repeated.identity"
    " JOIN push_chunks ON push_chunks.chunk = coalesce(push_repeated.chunk, push_rows.chunk)"
    " WHERE push_repeated.acknowledged_at IS NULL ORDER BY push_repeated.contact, push_repeated.identity"
)


class Alarm(NamedTuple):
    """An alarm about revenue that turned up after it was called absent; the columns of push_alarms."""

    alarm: int
    dataset: str
    raised_at: str
    rows: int
    sent_again: int
    contacts: int
    amount: int
    seconds: float
    settle_seconds: float
    acknowledged_at: str | None
    reason: str | None


class Named(NamedTuple):
    """A row that an alarm names, with the columns that `resolve` shows."""

    identity: str
    contact: str
    amount: int
    chunk: int
    sent_at: str


class FoundTwice(NamedTuple):
    """Revenue that the last reconciliation found perhaps there twice, not acknowledged yet.

    Attributes:
        rows: how many rows; 0: there is no finding.
        calls: how many of their calls a gateway may have delivered twice.
        sent_again: how many of the rows are in no such call; these were sent again.
        contacts: how many contacts have such rows.
        amount: the revenue that may be there too often, in ten-thousandths.
        found_at: the time of the finding; ISO 8601, UTC. None if there is none.
    """

    rows: int
    calls: int
    sent_again: int
    contacts: int
    amount: int
    found_at: str | None


class Position(NamedTuple):
    """The state of a ledger as two digests; each changes when what it covers changes."""

    outcomes: str
    input: str

    @property
    def text(self) -> str:
        """Both digests in one text, as the warehouse keeps them."""
        return " ".join(self)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the ledger in one consistent view.

    Attributes:
        ask: runs a statement.
        part: the part of the input; see `Settings.part`.
    """

    ask: Ask
    part: str

    @property
    def is_current(self) -> bool:
        """Whether an SQLite ledger has the tables of this version; false for an empty one or another version's."""
        if not self.ask("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'push_version'"):
            return False
        return [tuple(row) for row in self.ask("SELECT version_num FROM push_version")] == [(VERSION,)]

    def differing(self) -> dict[str, int]:
        """Return how many rows of the input differ from what was sent, without acknowledged ones, by dataset."""
        return {str(dataset): int(rows) for dataset, rows in self.ask(_DIFFERING, part=self.part)}

    def first_intake(self, dataset: str) -> str | None:
        """Return when input of a dataset was first taken in, ISO 8601, UTC; None if it never was."""
        found = self.ask(_FIRST, dataset=dataset, part=self.part)
        return found[0][0] if found else None

    def calls_on_record(self) -> set[datetime]:
        """Return when each call of any dataset and part was meant to be sent; no two calls have the same time."""
        return {datetime.fromisoformat(at) for (at,) in self.ask("SELECT intended_at FROM push_chunks")}

    def revenue_on_record(self) -> set[str]:
        """Return the identity of every row of revenue, of any part, that was ever meant to be sent."""
        return {identity for (identity,) in self.ask(_REVENUE_ROWS, dataset=REVENUE)}

    def by_hand(self) -> int:
        """Return how many rows are in doubt that no push settles, whether the current input has them or not."""
        ((rows,),) = self.ask(_BY_HAND, dataset=REVENUE, part=self.part)
        return int(rows)

    def doubt_outside(self) -> dict[str, int]:
        """Return how many rows in doubt the input does not have or has quarantined, by dataset."""
        return {str(dataset): int(rows) for dataset, rows in self.ask(_DOUBT_OUTSIDE, part=self.part)}

    def outcomes(self) -> dict[str, Outcomes]:
        """Return the counts of each dataset that was ever taken in."""
        intakes = self.ask(_INTAKES, part=self.part)
        counts = {dataset: dict(zip(_HELD, held, strict=True)) for dataset, _, *held in intakes}
        for dataset, state, rows in self.ask(_BY_CALL, part=self.part):
            if dataset in counts:  # else its calls were taken over from the warehouse; it has no input yet
                _add(counts[dataset], of_call(dataset, state), int(rows or 0))
        for dataset, outcome, rows in self.ask(_BY_ROW, part=self.part):
            _add(counts[dataset], outcome, int(rows))
        return {dataset: Outcomes.of(rows_in, counts[dataset]) for dataset, rows_in, *_ in intakes}

    def position(self) -> Position:
        """Return the state of the ledger: any change of a call or row changes `outcomes`, another input `input`.

        This holds because a call has its own number and is answered once, and settling gives a row another outcome or
        code.
        """
        return Position(self._digest(_CALLS_NOW, _ROWS_NOW), self._digest(_INPUT_NOW))

    def _digest(self, *queries: str) -> str:
        found = [sorted(str(tuple(row)) for row in self.ask(query, part=self.part)) for query in queries]
        return sha256(str(found).encode()).hexdigest()[:16]

    def alarms(self, *, every: bool = False) -> list[Alarm]:
        """Return the alarms without acknowledgement, oldest first; with `every`, all alarms."""
        wanted = "" if every else " WHERE acknowledged_at IS NULL"
        return [Alarm(*row) for row in self.ask(f"{_select(Alarm)} FROM push_alarms{wanted} ORDER BY alarm")]

    def named(self, alarm: int) -> list[Named]:
        """Return the rows of an alarm."""
        query = f"{_select(Named)} FROM push_absent WHERE alarm = :alarm ORDER BY contact, entry"
        return [Named(*row) for row in self.ask(query, alarm=alarm)]

    def found_twice(self) -> FoundTwice:
        """Return the finding of the last reconciliation, of all parts of the input."""
        ((rows, calls, sent_again, contacts, amount, found_at),) = self.ask(_FOUND_TWICE)
        return FoundTwice(rows, calls, sent_again, contacts, int(amount), found_at)

    def named_twice(self) -> list[Named]:
        """Return the rows of that finding."""
        return [Named(*row) for row in self.ask(_NAMED_TWICE, dataset=REVENUE)]


def _select(kind: type[Alarm | Named]) -> str:
    columns = ", ".join(f'"{name}"' for name in kind._fields)
    return f"SELECT {columns}"


def _add(counts: dict[str, int], name: str, rows: int) -> None:
    counts[name] = counts.get(name, 0) + rows
