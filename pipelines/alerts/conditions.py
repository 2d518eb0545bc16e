"""The conditions that alert, judged from plain figures; the same for the webhook, `status` and Dagster's checks.

    stale:<dataset>      what the warehouse holds is older than TRACKLY_ALERT_STALE_HOURS
    damaged:warehouse    the warehouse cannot be read
    damaged:runs         a run's record cannot be read
    damaged:pushes       the ledger, or what else pushes have on record, cannot be read
    failed:<activity>    an activity failed or was killed when it last ran; as a publish that the shrink guard stopped
    unfinished:<verb>    a pull or a push ended early, and what it did not reach was not done since; noted where a
                         person has stopped it
    unserved:<dataset>   it is published, and the account served it no more when it was to be pulled last
    source:revenue       revenue comes from another source than before, or does not yet (see `source_note`)
    missing:reconcile    the contacts' totals hold less than was accepted
    still_twice:revenue  what was acknowledged as perhaps there twice still is: noted (`still_twice`)
    rejected:<dataset>   a larger share of the history was rejected than TRACKLY_ALERT_REJECTED_SHARE
    in_doubt:<dataset>   rows were sent and it is unknown whether they arrived (`pipelines.push.audit.alerts`)
    silent:webhooks      contacts are sent to, and no event reports it: Trackly pauses endpoints without notice
    stopped:webhooks     the receiver of events does not run, or cannot store them
    refused:webhooks     every request so far was refused for its signature
    unread:webhooks      events of the last days had a right signature and could not be read
    damaged:webhooks     the queue of events cannot be read
    low:disk             fewer bytes are free than a run needs (`storage.needed_space`)
    empty:data           nothing was ever pulled or pushed with this data directory
    behind:warehouse     it lacks outcomes that the ledger has (`pipelines.push.audit.publish.behind`)
    lost:ledger          the ledger does not know what was pushed (`pipelines.push.audit.lost_ledger.detect`)
    by_hand:revenue      rows are in doubt that no push settles (`pipelines.push.audit.alerts`)
    differs:<dataset>    rows say something else by now than was sent (`pipelines.push.audit.alerts`)
    twice:reconcile      a reconciliation found revenue perhaps there twice (`pipelines.push.audit.found_twice`)
    twice:revenue        revenue turned up after it was called absent (`pipelines.push.audit.late_revenue`)

What does not belong here: reading anything, and sending messages (`notify`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from pipelines.errors import TracklySyncError
from pipelines.run_records.unfinished import asked_of_verb, commands
from pipelines.settings import Settings
from pipelines.storage import free_space, needed_space
from pipelines.text.humanize import file_size, form, plural
from pipelines.webhooks.queue.state import Received
from schemas.own_tables.sync import Manifest, RunRecord, source_note

_ALIVE = timedelta(minutes=10)
"""A receiver shows every half minute that it can store events; without that for so long it cannot."""


_WITHOUT_COMPARISON = {
    "nothing_to_compare": "nothing was accepted yet",
    "ledger_lost": "not all that was accepted could be compared",
}
"""Verdicts of a reconciliation that compared nothing, or not all; `push.audit.reconcile` gives them."""

_PATH = re.compile(r"\S*/\S+")

_WRONG = ("failed", "killed")
"""How what somebody should know of may have ended; what a person stopped is not among it."""

_BY_HAND = ("adopt", "resolve", "rollback ", "replay ")
"""Activities that a person waits for, who has seen how they ended."""


class Counts(Protocol):
    """What is asked of a push's outcomes."""

    @property
    def rows_in(self) -> int: ...  # noqa: D102 - as in `Outcomes`
    @property
    def rejected(self) -> int: ...  # noqa: D102 - as in `Outcomes`


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that can be wrong.

    Attributes:
        name: kind and subject, as "stale:contacts"; stays the same from one evaluation to the next.
        firing: whether it is wrong now.
        text: how it is, in one line, without personal data.
        remedy: what to do about it.
        figures: what the judgement rests on.
        since: from when on it has been wrong, as far as that is known: an instant in ISO 8601; None otherwise.
        noted: whether `status` names it although it is not wrong.
    """

    name: str
    firing: bool
    text: str
    remedy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    since: str | None = None
    noted: bool = False


def of_pulls(settings: Settings, published: Mapping[str, Manifest], now: datetime) -> list[Condition]:
    """How old the datasets in the warehouse are; nothing is stale before the first pull.

    Args:
        settings: the limits.
        published: by dataset, the manifest of the published snapshot.
        now: the time, with a zone.
    """
    limit = settings.alert_stale_hours
    found = []
    for name, manifest in published.items():
        finished_at = datetime.fromisoformat(manifest.finished_at)
        hours = (now - finished_at).total_seconds() / 3600
        firing = hours > limit
        since = (finished_at + timedelta(hours=limit)).isoformat() if firing else None
        text = f"{name} is {hours:.1f} h old" + (f", more than {limit:g} h" if firing else "")
        figures = {"hours": round(hours, 2), "limit": limit}
        found.append(Condition(f"stale:{name}", firing, text, "Run: trackly-sync pull", figures, since))
    return found


def of_warehouse(damage: TracklySyncError | None, *, is_there: bool = True) -> Condition:
    """Whether the warehouse can be read; where it cannot, nothing else about it can be judged."""
    if damage:
        return Condition("damaged:warehouse", True, damage.message.rstrip("."), damage.remedy)
    text = "the warehouse can be read" if is_there else "there is no warehouse yet"
    return Condition("damaged:warehouse", False, text)


def of_readable(name: str, what: str, damage: TracklySyncError | None) -> Condition:
    """Whether what other conditions are judged by can be read; those that it takes are not judged then.

    Args:
        name: of the condition, after `damaged:`.
        what: the same for people, in the plural.
        damage: why it cannot.
    """
    if damage:
        return Condition(f"damaged:{name}", True, damage.message.rstrip("."), damage.remedy)
    return Condition(f"damaged:{name}", False, f"{what} can be read")


def of_disk(settings: Settings) -> Condition:
    """Whether there is room for a run, its record and a new warehouse; `doctor` goes by the same bound.

    Raises:
        StorageError: the disk cannot be looked at.
    """
    free, needed = free_space(settings.data_dir), needed_space(settings.warehouse)
    firing = free < needed
    room = f"{file_size(free)} are free on the disk of the data directory"
    text = f"{room}, less than the {file_size(needed)} that a run needs" if firing else room
    remedy = "Make room on that disk, then run again what failed" if firing else ""
    return Condition("low:disk", firing, text, remedy, {"free": free, "needed": needed})


def of_data(settings: Settings, *, any_run: bool) -> Condition:
    """Whether there is anything to judge: a data directory without any run may be the wrong one."""
    text = "there are runs" if any_run else f"nothing was ever pulled or pushed with {settings.data_dir}"
    remedy = "Run: trackly-sync pull; or set TRACKLY_DATA_DIR to the directory that holds the data"
    return Condition("empty:data", not any_run, text, "" if any_run else remedy)


def of_runs(last: Iterable[RunRecord]) -> list[Condition]:
    """How each activity ended when it last ran, and what the last reconciliation found.

    Args:
        last: the newest record of each activity.
    """
    found = []
    watched = [record for record in last if not record.activity.startswith(_BY_HAND)]
    failures = _failures([record for record in watched if record.status in _WRONG])
    for record in watched:
        firing = record.status in _WRONG
        text = failures[_cause(record)] if firing else f"{record.activity} {record.status}"
        remedy = f"Look at it: trackly-sync runs {record.run[:8]}"
        figures = {"run": record.run, "finished_at": record.finished_at}
        since = record.finished_at if firing else None
        found.append(Condition(f"failed:{record.activity}", firing, text, remedy, figures, since))
        if record.activity == "reconcile" and not firing:
            found.append(_of_reconciliation(record))
    return found


def _of_reconciliation(record: RunRecord) -> Condition:
    details: dict[str, Any] = msgspec.json.decode(record.details) or {}
    agrees = bool(details.get("agrees", True))
    there = _WITHOUT_COMPARISON.get(details.get("verdict", ""), "what was accepted is there")
    text = there if agrees else "contacts hold less than was accepted"
    remedy = "FROM imports.differences WHERE finding = 'missing'"
    figures = {"missing": details.get("missing")}
    since = None if agrees else record.finished_at
    return Condition("missing:reconcile", not agrees, text, remedy, figures, since)


def _failures(failed: Sequence[RunRecord]) -> dict[tuple[str, str], str]:
    """What failed, by its cause: parts of a run that failed for one reason, such as a full disk, have one text.

    It is named by what was asked for where that is known: which part stopped first is chance.
    """
    by_cause: dict[tuple[str, str], list[RunRecord]] = {}
    for record in sorted(failed, key=lambda record: record.finished_at or record.started_at):
        by_cause.setdefault(_cause(record), []).append(record)
    return {
        cause: _failure(", ".join(dict.fromkeys(asked_of_verb(one) for one in records)), records[0])
        for cause, records in by_cause.items()
    }


def _failure(what: str, record: RunRecord) -> str:
    if record.status == "killed":
        return f"{what} was killed; nothing is half-done, run it again: {commands(what)}"
    return f"{what} failed: {(record.error or '').rstrip('.')}"


def _cause(record: RunRecord) -> tuple[str, str]:
    """The run, and what went wrong in it, whichever file or path of the API it was about."""
    why = record.asked or record.activity if record.status == "killed" else record.error
    return record.run, _PATH.sub("", why or "")


def of_source(published: Mapping[str, Manifest]) -> list[Condition]:
    """Whether revenue comes from another source than before: until events are served again, or the next pull of them.

    Args:
        published: by dataset, the manifest of the published snapshot.
    """
    manifest = published.get("revenue")
    if manifest is None:
        return []
    note = source_note(manifest)
    remedy = "What that means: docs/guarantees.md" if note else ""
    return [
        Condition(
            "source:revenue",
            bool(note),
            note or "revenue has its usual source",
            remedy,
            {"source": manifest.source},
            manifest.source_since if note else None,
        )
    ]


def of_unserved(published: Mapping[str, Manifest], last: Iterable[RunRecord]) -> list[Condition]:
    """Whether what is published was left out by the last pull; one that was never published is only a notice.

    Args:
        published: by dataset, the manifest of the published snapshot.
        last: the newest record of each activity.
    """
    found = []
    for record in last:
        name = record.activity.removeprefix("pull ")
        if name not in published or name == record.activity:
            continue
        firing = bool((msgspec.json.decode(record.details) or {}).get("skipped"))
        text = (
            f"{name} was not pulled by the last run, since the account no longer serves it; "
            f"what is published is as of {published[name].finished_at[:16]}"
            if firing
            else f"{name} is served"
        )
        remedy = f"See what the account answered: trackly-sync runs {record.run[:8]}"
        since = record.finished_at if firing else None
        found.append(Condition(f"unserved:{name}", firing, text, remedy, {"run": record.run}, since))
    return found


def of_webhooks(
    settings: Settings, received: Received | None, last_sent_at: datetime | None, now: datetime
) -> list[Condition]:
    """Whether events arrive, as it looks from outside of the receiver; nothing is wrong where there never was one.

    Args:
        settings: see `Settings`.
        received: what the receiver has left on record.
        last_sent_at: when a contact was last sent to, by the last pull; aware.
        now: the time of the question.
    """
    if received is None:
        return []
    limit = timedelta(hours=settings.alert_silent_hours)
    return [_silent(received, last_sent_at, limit), _stopped(received, now, limit), _refused(received)]


def _silent(received: Received, last_sent_at: datetime | None, limit: timedelta) -> Condition:
    gap = last_sent_at - received.since if last_sent_at else timedelta()
    hours = round(gap.total_seconds() / 3600, 1)
    firing = gap > limit
    text = (
        f"no event came in the {hours:,.1f} h up to when contacts were last sent to"
        if firing
        else "events come"
    )
    remedy = (
        "See whether Trackly paused the endpoint (Settings > Webhooks), then what is lost: marts.webhook_gaps"
    )
    return Condition("silent:webhooks", firing, text, remedy, {"hours": max(hours, 0)})


def _stopped(received: Received, now: datetime, limit: timedelta) -> Condition:
    quiet = now - received.beat_at if received.beat_at else timedelta()
    firing = quiet > (_ALIVE if received.serving else limit)
    what = "has shown no sign of life" if received.serving else "has been stopped"
    minutes = quiet.total_seconds() / 60
    text = f"the webhook receiver {what} for {minutes:,.0f} min" if firing else "the webhook receiver is well"
    remedy = "Start it: trackly-sync webhooks serve; events are lost after about three hours"
    since = received.beat_at.isoformat() if firing and received.beat_at else None
    return Condition("stopped:webhooks", firing, text, remedy, {"minutes": round(minutes)}, since)


def _refused(received: Received) -> Condition:
    refused = received.unsigned + received.wrongly_signed
    firing = received.wrongly_signed > 0 and not received.bodies
    text = (
        f"{form(refused, 'the only webhook request', f'all {refused:,} webhook requests')} so far "
        f"{form(refused, 'was refused for its', 'were refused for their')} signature"
        if firing
        else "signatures fit"
    )
    remedy = "See which form it has: trackly-sync webhooks check"
    return Condition("refused:webhooks", firing, text, remedy, {"refused": refused})


def of_unread(unread: int) -> Condition:
    """Whether signed events of the last seven days do not say what they are."""
    text = (
        f"{plural(unread, 'signed webhook event')} of the last 7 days could not be read"
        if unread
        else "events are read"
    )
    remedy = "See them: FROM webhook_events WHERE verified AND event IS NULL"
    return Condition("unread:webhooks", unread > 0, text, remedy, {"unread": unread})


def of_pushes(settings: Settings, outcomes: Mapping[str, Counts]) -> list[Condition]:
    """What became of the current history input."""
    limit = settings.alert_rejected_share
    found = []
    for name, counts in outcomes.items():
        share = counts.rejected / max(counts.rows_in, 1)
        firing = share > limit
        are = form(counts.rejected, "is", "are")
        text = (
            f"{counts.rejected:,} of {plural(counts.rows_in, 'row')} of {name} {are} rejected ({share:.1%})"
        )
        figures = {"rejected": counts.rejected, "rows_in": counts.rows_in, "limit": limit}
        remedy = f"Look at them: trackly-sync rejects {name}"
        found.append(Condition(f"rejected:{name}", firing, text, remedy, figures))
    return found
