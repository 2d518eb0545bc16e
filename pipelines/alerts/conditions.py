"""Checks the alert conditions from plain figures; the webhook, `status` and Dagster's checks share them.

    stale:<dataset>      the published snapshot is older than TRACKLY_ALERT_STALE_HOURS
    damaged:warehouse    the warehouse cannot be read
    damaged:runs         a run's record cannot be read
    damaged:pushes       the ledger, or another record of pushes, cannot be read
    failed:<activity>    an activity failed or was killed when it last ran; or the shrink guard stopped a publish
    unfinished:<verb>    a pull or a push ended early, and its remaining work was not done since; noted if a
                         person has stopped it
    unserved:<dataset>   the dataset is published, but the account did not serve it at the last pull
    source:revenue       revenue comes from another source than before, or will (see `source_note`)
    missing:reconcile    the contacts' totals hold less than was accepted
    still_twice:revenue  revenue acknowledged as perhaps there twice still is: noted (`still_twice`)
    rejected:<dataset>   a larger share of the history was rejected than TRACKLY_ALERT_REJECTED_SHARE
    in_doubt:<dataset>   rows were sent and it is unknown whether they arrived (`pipelines.push.audit.alerts`)
    silent:webhooks      contacts are sent to, and no event reports it: Trackly pauses endpoints without notice
    stopped:webhooks     the receiver of events does not run, or cannot store them
    refused:webhooks     every request so far was refused for its signature
    unread:webhooks      events of the last days had a right signature and could not be read
    damaged:webhooks     the queue of events cannot be read
    low:disk             fewer bytes are free than a run needs (`storage.needed_space`)
    empty:data           nothing was ever pulled or pushed with this data directory
    behind:warehouse     the warehouse lacks outcomes of the ledger (`pipelines.push.audit.publish.behind`)
    lost:ledger          the ledger lacks rows that were pushed (`pipelines.push.audit.lost_ledger.detect`)
    by_hand:revenue      rows are in doubt that no push settles (`pipelines.push.audit.alerts`)
    differs:<dataset>    rows differ from what was sent (`pipelines.push.audit.alerts`)
    twice:reconcile      a reconciliation found revenue perhaps there twice (`pipelines.push.audit.found_twice`)
    twice:revenue        revenue turned up after it was called absent (`pipelines.push.audit.late_revenue`)

What does not belong here: reading anything, and sending messages (`notify`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from pipelines.errors import TracklySyncError
from pipelines.run_records.unfinished import asked_of_verb, commands
from pipelines.settings import Settings
from pipelines.storage import free_space, needed_space
from pipelines.text.humanize import file_size, form, plural
from pipelines.webhooks.queue.state import Received
from schemas.own_tables.sync import Manifest, RunRecord, source_note

_ALIVE = timedelta(minutes=10)
"""Time without a sign of life after which a receiver counts as stopped; it gives one every half minute."""


_WITHOUT_COMPARISON = {
    "nothing_to_compare": "nothing was accepted yet",
    "ledger_lost": "not all that was accepted could be compared",
}
"""Verdicts of `push.audit.reconcile` that compared nothing, or not everything."""

_PATH = re.compile(r"\S*/\S+")

_WRONG = ("failed", "killed")
"""Statuses of activities that alert; a stop by a person does not."""

_BY_HAND = ("adopt", "resolve", "rollback ", "replay ")
"""Activities that a person runs and watches, so that their failure needs no alert."""


class Counts(Protocol):
    """The figures of a push's outcomes that conditions need."""

    @property
    def rows_in(self) -> int: ...  # noqa: D102 - as in `Outcomes`
    @property
    def rejected(self) -> int: ...  # noqa: D102 - as in `Outcomes`


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that can be wrong.

    Attributes:
        name: kind and subject, such as "stale:contacts"; constant between evaluations.
        firing: whether it alerts now.
        text: the state, in one line, without personal data.
        remedy: what to do.
        figures: the figures behind the decision.
        since: when the problem began, if known: an instant in ISO 8601; None otherwise.
        noted: whether `status` names it although it does not alert.
    """

    name: str
    firing: bool
    text: str
    remedy: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    since: str | None = None
    noted: bool = False


def of_pulls(settings: Settings, published: Mapping[str, Manifest], now: datetime) -> list[Condition]:
    """Check the age of published datasets; no dataset is stale before the first pull.

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
    """Check that the warehouse can be read; otherwise no other condition about it can be checked."""
    if damage:
        return Condition("damaged:warehouse", True, damage.message.rstrip("."), damage.remedy)
    text = "the warehouse can be read" if is_there else "there is no warehouse yet"
    return Condition("damaged:warehouse", False, text)


def of_readable(name: str, what: str, damage: TracklySyncError | None) -> Condition:
    """Check that the data of other conditions can be read; otherwise these conditions are not checked.

    Args:
        name: of the condition, after `damaged:`.
        what: the data for people, in the plural.
        damage: why it cannot be read.
    """
    if damage:
        return Condition(f"damaged:{name}", True, damage.message.rstrip("."), damage.remedy)
    return Condition(f"damaged:{name}", False, f"{what} can be read")


def of_disk(settings: Settings) -> Condition:
    """Check the free space for a run, its record and a new warehouse; `doctor` uses the same limit.

    Raises:
        StorageError: the free space cannot be read.
    """
    free, needed = free_space(settings.data_dir), needed_space(settings.warehouse)
    firing = free < needed
    room = f"{file_size(free)} are free on the disk of the data directory"
    text = f"{room}, less than the {file_size(needed)} that a run needs" if firing else room
    remedy = "Make room on that disk, then run again what failed" if firing else ""
    return Condition("low:disk", firing, text, remedy, {"free": free, "needed": needed})


def of_data(settings: Settings, *, any_run: bool) -> Condition:
    """Check that there was a run: a data directory without any run may be the wrong one."""
    text = "there are runs" if any_run else f"nothing was ever pulled or pushed with {settings.data_dir}"
    remedy = "Run: trackly-sync pull; or set TRACKLY_DATA_DIR to the directory that holds the data"
    return Condition("empty:data", not any_run, text, "" if any_run else remedy)


def of_runs(last: Iterable[RunRecord]) -> list[Condition]:
    """Check how each activity ended when it last ran, and the findings of the last reconciliation.

    Args:
        last: the newest record of each activity.
    """
    found = []
    watched = [record for record in last if not record.activity.startswith(_BY_HAND)]
    failures = _failures([record for record in watched if record.status in _WRONG])
    for record in watched:
        failure = failures[_cause(record)] if record.status in _WRONG else ""
        found.append(_of_activity(record, failure))
        if record.activity == "reconcile" and not failure:
            found.append(_of_reconciliation(record))
    return found


def _of_activity(record: RunRecord, failure: str) -> Condition:
    """Judge how an activity ended; `failure` is empty where it did not fail."""
    text = failure or f"{record.activity} {record.status}"
    remedy = f"Look at it: trackly-sync runs {record.run[:8]}"
    figures = {"run": record.run, "finished_at": record.finished_at}
    since = record.finished_at if failure else None
    return Condition(f"failed:{record.activity}", bool(failure), text, remedy, figures, since)


def _of_reconciliation(record: RunRecord) -> Condition:
    details = record.figures
    agrees = bool(details.get("agrees", True))
    there = _WITHOUT_COMPARISON.get(details.get("verdict", ""), "what was accepted is there")
    text = there if agrees else "contacts hold less than was accepted"
    remedy = "FROM imports.differences WHERE finding = 'missing'"
    figures = {"missing": details.get("missing")}
    since = None if agrees else record.finished_at
    return Condition("missing:reconcile", not agrees, text, remedy, figures, since)


def _failures(failed: Sequence[RunRecord]) -> dict[tuple[str, str], str]:
    """Return failures by cause: activities of a run that failed for one reason, such as a full disk, have one text.

    The text names the run's command if known, since it is chance which activity failed first.
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
    """Return the run and its error without the file or API path."""
    why = record.asked or record.activity if record.status == "killed" else record.error
    return record.run, _PATH.sub("", why or "")


def of_source(published: Mapping[str, Manifest]) -> list[Condition]:
    """Check whether the source of revenue has changed; this lasts until events are served again, or are pulled next.

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
    """Check whether the last pull left out a published dataset; a dataset that was never published is only a notice.

    Args:
        published: by dataset, the manifest of the published snapshot.
        last: the newest record of each activity.
    """
    found = []
    for record in last:
        name = record.activity.removeprefix("pull ")
        if name not in published or name == record.activity:
            continue
        firing = bool(record.figures.get("skipped"))
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
    """Check from the receiver's records that events arrive; without a receiver there is no problem.

    Args:
        settings: see `Settings`.
        received: the receiver's figures.
        last_sent_at: when a contact was last sent to, by the last pull; aware.
        now: the current time.
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
    """Check for signed events of the last seven days that could not be read."""
    text = (
        f"{plural(unread, 'signed webhook event')} of the last 7 days could not be read"
        if unread
        else "events are read"
    )
    remedy = "See them: FROM webhook_events WHERE verified AND event IS NULL"
    return Condition("unread:webhooks", unread > 0, text, remedy, {"unread": unread})


def of_pushes(settings: Settings, outcomes: Mapping[str, Counts]) -> list[Condition]:
    """Check the outcomes of the current history input."""
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
