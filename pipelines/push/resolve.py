"""The decisions of a person about rows: rows in doubt that no reading could settle, alarms, and rows that differ.

Each kind has its list with the evidence, and each decision its reason. What does not belong here: settling by reading
(`revenue.settle`), and revenue that is held before it is sent (`checks.revenue.same_rows`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from pipelines.errors import UsageError
from pipelines.privacy import Privacy
from pipelines.push.audit.alerts import watched_push
from pipelines.push.audit.archive.corrected import changed_fields
from pipelines.push.audit.archive.files import archive_folder, archived, reading_archive
from pipelines.push.audit.lost_ledger.detect import refuse_forgotten
from pipelines.push.audit.publish.decided import publish_decided
from pipelines.push.checks import differing_rows as differing
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.lock import push_lock
from pipelines.push.ledger.opening import existing_ledger, open_ledger
from pipelines.push.ledger.queries import decisions as ledger_decisions
from pipelines.push.ledger.queries.revenue import alarms as ledger_alarms
from pipelines.push.ledger.queries.revenue import in_doubt as ledger_doubt
from pipelines.push.ledger.queries.revenue import repeated as ledger_repeated
from pipelines.push.outcomes import Outcome
from pipelines.push.stage.database import opened, stage_path
from pipelines.runs.recording import details, now, recorded, this_run
from pipelines.settings import Settings
from schemas.own_tables.sync import RunRecord
from schemas.registry import PUSHED
from schemas.values.money import amount_of

ACKNOWLEDGED = "acknowledged"
"""The outcome in imports.resolutions of revenue that is perhaps in the account twice and that a person has seen."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A row in doubt.

    Attributes:
        identity: the identity of the row.
        message_id: its send.
        amount: the amount in the account's currency; None if no record has it.
        chunk: the call that had no usable answer.
        sent_at: when that call was meant to be sent; ISO 8601, UTC.
        code: no_answer and not_named (the next reading may settle the row), no_reading, contact_gone, ambiguous,
            or contradicted (a person settled the row, and a reading showed otherwise).
        evidence: what is known about the row, as text.
        in_input: whether the current input has the row, not quarantined; else a decision to send it sends nothing.
    """

    identity: str
    message_id: str
    amount: Decimal | None
    chunk: int
    sent_at: str
    code: str
    evidence: str
    in_input: bool


def in_doubt(settings: Settings) -> list[Doubt]:
    """Return every row in doubt, oldest call first.

    Raises:
        StorageError: the ledger cannot be read.
    """
    with existing_ledger(settings) as ledger:
        if ledger is None:
            return []
        with ledger.begin() as connection:
            found = ledger_doubt.doubts(connection)
    return [
        Doubt(**{**row._asdict(), "amount": None if row.amount is None else amount_of(row.amount)})
        for row in found
    ]


@watched_push
def resolve(settings: Settings, identities: Sequence[str], outcome: Outcome, reason: str) -> None:
    """Settle rows in doubt by hand; the reason is kept in imports.resolutions.

    Args:
        settings: the place of ledger and warehouse.
        identities: the rows.
        outcome: accepted: they are in the account; pending: they are not, send them; rejected: leave them out.
        reason: the person's reason.

    Raises:
        UsageError: there is no reason, or no row.
        DataError: one of the rows is not in doubt; then none is settled.
        BusyError: a push is under way.
        StorageError: the ledger or the warehouse cannot be written, or the ledger has forgotten revenue.
    """
    if not identities:
        raise UsageError("No row was named.", "Name rows, or say --all. List them: trackly-sync resolve")
    _require(reason)
    with push_lock(settings.data_dir), open_ledger(settings) as ledger:
        refuse_forgotten(settings, ledger)
        with ledger.begin(REVENUE) as connection:  # a mistyped identity is not recorded as a run
            ledger_doubt.require_in_doubt(connection, identities)
        with _recorded(settings, outcome=outcome) as record:
            with ledger.begin(REVENUE) as connection:
                ledger_doubt.resolve(connection, identities, outcome, reason.strip())
            record.rows = len(identities)
            record.accepted = len(identities) if outcome is Outcome.ACCEPTED else None
        publish_decided(settings)


@watched_push
def acknowledge(settings: Settings, alarm: int, reason: str) -> None:
    """Record that a person has seen revenue that may be in the account twice, so that pushes go on; keep the reason.

    Args:
        settings: the place of ledger and warehouse.
        alarm: the number of the alarm.
        reason: what the person did about it.

    Raises:
        UsageError: there is no reason.
        DataError: no alarm of this number is open.
        BusyError: a push is under way.
        StorageError: the ledger or the warehouse cannot be written.
    """
    _require(reason)
    with push_lock(settings.data_dir), open_ledger(settings) as ledger:
        with ledger.begin(REVENUE) as connection:  # a mistyped number is not recorded as a run
            ledger_alarms.require_open(connection, alarm)
        with _recorded(settings, acknowledged=alarm) as record:
            with ledger.begin(REVENUE) as connection:
                at = now()
                ledger_alarms.acknowledge(connection, alarm, reason.strip(), at)
                rows = [row.identity for row in ledger_alarms.named(connection, alarm)]
                ledger_doubt.note_resolutions(connection, rows, ACKNOWLEDGED, reason.strip(), at)
            record.rows = len(rows)
        publish_decided(settings)


@watched_push
def acknowledge_found(settings: Settings, reason: str) -> int:
    """Acknowledge the revenue that the last reconciliation found perhaps there twice; the reason is kept.

    If these contacts later hold more than that, the next reconciliation finds it.

    Args:
        settings: where the ledger and the warehouse lie.
        reason: what was done about it, as a person wrote it.

    Returns:
        How many rows of revenue were acknowledged.

    Raises:
        UsageError: no reason.
        DataError: there is no open finding.
        BusyError: a push is under way.
        StorageError: the ledger or the warehouse cannot be written.
    """
    _require(reason)
    with push_lock(settings.data_dir), open_ledger(settings) as ledger:
        with ledger.begin(REVENUE) as connection:  # a slip is no run
            ledger_repeated.require_found(connection)
        with _recorded(settings, acknowledged="reconcile") as record:
            with ledger.begin(REVENUE) as connection:
                at = now()
                rows = ledger_repeated.acknowledge(connection, at)
                ledger_doubt.note_resolutions(connection, rows, ACKNOWLEDGED, reason.strip(), at)
            record.rows = len(rows)
        publish_decided(settings)
    return len(rows)


def differing_rows(settings: Settings, datasets: Sequence[str]) -> list[differing.DifferingRow]:
    """Return the rows of the last intake that are in the account and whose file now has other content.

    Args:
        settings: the place of the stages.
        datasets: names out of PUSHED; a dataset that was never taken in has no such rows.

    Raises:
        StorageError: a stage cannot be used.
    """
    found: list[differing.DifferingRow] = []
    privacy = Privacy.of(settings)
    for name in datasets:
        path = stage_path(settings, name)
        if path.exists():
            with opened(path, privacy) as connection, reading_archive(settings, (name,)):
                files = archived(archive_folder(settings, name))
                fields = changed_fields(connection, PUSHED[name], files, privacy)
                found += [
                    replace(place, fields=fields.get(place.identity, ()))
                    for place in differing.differing_in(connection, name)
                ]
    return found


@watched_push
def acknowledge_differing(settings: Settings, datasets: Sequence[str], reason: str) -> dict[str, int]:
    """Record that a person has seen the rows that differ from what was sent.

    Their present content is kept with the reason, so that a further change of the same row is reported again.

    Args:
        settings: the place of stages, ledger and warehouse.
        datasets: names out of PUSHED.
        reason: why the rows may differ, in the person's words.

    Returns:
        By dataset, how many rows were acknowledged now.

    Raises:
        UsageError: there is no reason.
        BusyError: a push is under way.
        StorageError: a stage, the ledger or the warehouse cannot be written.
    """
    _require(reason)
    names = [name for name in datasets if stage_path(settings, name).exists()]
    done = dict.fromkeys(names, 0)
    with push_lock(settings.data_dir), open_ledger(settings) as ledger:
        if not any(
            _unseen(settings, name) for name in names
        ):  # a decision about no row is not recorded as a run
            return done
        with _recorded(settings, differs=list(datasets)) as record:
            for name in names:
                with opened(stage_path(settings, name)) as connection:
                    rows = differing.unseen(connection)
                    ledger_decisions.acknowledge(ledger, name, reason.strip(), rows)
                    differing.mark_seen(connection)
                done[name] = len(rows)
            record.rows = sum(done.values())
        publish_decided(settings)
    return done


def _unseen(settings: Settings, name: str) -> bool:
    with opened(stage_path(settings, name)) as connection:
        return bool(differing.unseen(connection))


@contextmanager
def _recorded(settings: Settings, **what: Any) -> Iterator[RunRecord]:
    """Record a decision as a run; its rows and its reason are in imports.resolutions."""
    with recorded(settings.data_dir, this_run(), "resolve") as record:
        record.details = details(**what)
        yield record


def _require(reason: str) -> None:
    if not reason.strip():
        raise UsageError("A reason is needed; it is kept.", "--reason 'seen in the account, ticket 1234'")
