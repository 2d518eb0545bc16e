"""Finds work that runs did not finish, since they were killed, failed or stopped, and that was not done since.

The records of a run name its command (`asked`). So the work that it did not reach is known, also if the activities
that it did reach succeeded later. What does not belong here: alerts (`alerts.conditions`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

from pipelines.run_records.by_run import by_run
from pipelines.runs.run_state import unended_runs
from schemas.own_tables.sync import Manifest, RunRecord
from schemas.registry import PULLED, PUSHED

_EVERY: Mapping[str, Collection[str]] = {"pull": PULLED, "push": PUSHED}
_BEGIN = {"pull": ("pull ", "measure "), "push": ("take in ", "push ")}
"""Prefixes of activities that are parts of a pull, or of a push."""
_OWN = {"pull": (*_BEGIN["pull"], "publish"), "push": _BEGIN["push"]}
"""The same, with activities that only end one."""
_LOOKED_AT = {"pull": _BEGIN["pull"], "push": (*_BEGIN["push"], *_BEGIN["pull"])}
"""Prefixes of activities by which a run's command is known: a sync whose pull failed should have pushed too."""
_STATUSES = ("killed", "failed", "stopped")
"""Statuses of an unfinished run: it has the first of these that one of its activities has."""
_ALERT = ("failed", "killed")
"""Statuses of an activity that alert by themselves until it has run again."""
_MOST_RUNS = 500
"""Most runs that are checked, since unfinished runs are among the last."""

_Part = tuple[str, str | None]
"""An activity and its month; None for all months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """The unfinished work of a run.

    Attributes:
        what: the command, such as `push all`.
        status: killed, failed or stopped.
        began: when the run began: ISO 8601, UTC.
        missing: activities that were not done since, each with its month.
        in_whole: whether all activities of the command are missing.
        is_begun: whether any of them was begun; a sync that ends in its pull has not begun to push.
        on_purpose: whether a person has stopped the run, and so knows of it.
    """

    what: str
    status: str
    began: str
    missing: frozenset[_Part]
    in_whole: bool
    is_begun: bool
    on_purpose: bool

    @property
    def datasets(self) -> list[str]:
        """The datasets of the missing activities, in their usual order."""
        names = {activity.rpartition(" ")[2] for activity, _ in self.missing}
        return [name for name in _EVERY[self.what.partition(" ")[0]] if name in names]


def commands(asked: str) -> str:
    """Return the command that repeats `push all of 2026-10`, or `pull all, push all`."""
    parts = asked.replace(" of ", " --month ").replace(" all", "").split(", ")
    return ", then ".join(f"trackly-sync {part}" for part in parts)


def asked_of_verb(record: RunRecord) -> str:
    """Return the command of an activity, without other commands of its run, such as a push after a pull."""
    asked = record.asked or record.activity
    verb = next((verb for verb, own in _OWN.items() if record.activity.startswith(own)), "")
    return _of_verb(asked, verb) or asked


def _of_verb(asked: str, verb: str) -> str:
    return ", ".join(one for one in asked.split(", ") if one.startswith(f"{verb} "))


@dataclass(slots=True)
class _Done:
    """Work that newer runs have done, and published datasets.

    Attributes:
        published: by dataset, the manifest of the published snapshot.
        parts: activities that succeeded.
    """

    published: Mapping[str, Manifest]
    parts: set[_Part] = field(default_factory=set)

    def note(self, records: Sequence[RunRecord], unended: str) -> None:
        """Add a run's activities; its pulls do not count if it ended early and published nothing."""
        went_well = [one for one in records if one.status == "succeeded"]
        has_all = not unended and len(went_well) == len(records)
        counts_all = has_all or "publish" in {one.activity for one in went_well}
        for one in went_well:
            counts = counts_all or not one.activity.startswith("pull ") or _is_skipped(one)
            if counts:
                self.parts.add((one.activity, one.month))

    def has(self, part: _Part, began: str) -> bool:
        """Whether an activity was done since a run began."""
        activity, _ = part
        manifest = self.published.get(activity.removeprefix("pull "))
        if manifest and datetime.fromisoformat(manifest.finished_at) >= datetime.fromisoformat(began):
            return True
        return part in self.parts or (activity, None) in self.parts


def unfinished(data_dir: Path, verb: str, published: Mapping[str, Manifest]) -> list[Unfinished]:
    """Return unfinished pulls or pushes, largest first, without those that another one covers.

    Args:
        data_dir: the data directory.
        verb: pull or push.
        published: by dataset, the manifest of what is published.

    Raises:
        StorageError: a record cannot be read.
    """
    unended = unended_runs(data_dir)
    done, last = _Done(published), dict[str, RunRecord]()
    found: list[Unfinished] = []
    every = {(f"{verb} {name}", None) for name in _EVERY[verb]}
    for records in islice(by_run(data_dir, _LOOKED_AT[verb]), _MOST_RUNS):
        if every <= done.parts:
            break
        state = unended.get(records[0].run, "")
        done.note(records, state)
        last = {record.activity: record for record in records} | last
        if not _alerts(_own(records, verb), last):
            found += _of_run(records, verb, state, done)
    return _without_parts(found)


def _own(records: Sequence[RunRecord], verb: str) -> list[RunRecord]:
    """Return a run's activities of a verb."""
    return [one for one in records if one.activity.startswith(_OWN[verb])]


def _without_parts(found: Sequence[Unfinished]) -> list[Unfinished]:
    """Remove entries that another entry covers; of two equal ones, keep the first."""
    kept: list[Unfinished] = []
    for one in sorted(found, key=lambda one: len(one.missing), reverse=True):
        if not any(one.missing <= larger.missing for larger in kept):
            kept.append(one)
    return kept


def _alerts(records: Iterable[RunRecord], last: Mapping[str, RunRecord]) -> bool:
    """Whether an unsuccessful activity of a run alerts by itself: it failed or was killed when it last ran."""
    return any(one.status != "succeeded" and last[one.activity].status in _ALERT for one in records)


def _of_run(records: Sequence[RunRecord], verb: str, unended: str, done: _Done) -> Iterator[Unfinished]:
    """Yield the unfinished work of a run, by command."""
    began = records[0].started_at
    for what, parts in _by_asked(records, verb).items():
        wanted = _wanted(what, parts)
        missing = frozenset(part for part in wanted if not done.has(part, began))
        if missing and (status := _status(parts, unended)):
            yield Unfinished(
                what=what,
                status=status,
                began=began,
                missing=missing,
                in_whole=len(missing) == len(wanted),
                is_begun=any(one.activity.startswith(_BEGIN[verb]) for one in parts),
                on_purpose=status == "stopped" and not any(one.error for one in parts),
            )


def _by_asked(records: Iterable[RunRecord], verb: str) -> dict[str, list[RunRecord]]:
    """Return the activities of a run by their command, for one verb."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        if asked := _of_verb(record.asked or record.activity, verb):
            found.setdefault(asked, []).append(record)
    return found


def _status(records: Iterable[RunRecord], unended: str) -> str:
    """Return the status of an unfinished run; "" if it may have finished, or is under way."""
    statuses = {unended, *(record.status for record in records)}
    if "running" in statuses:
        return ""
    return next((status for status in _STATUSES if status in statuses), "")


def _wanted(what: str, records: Iterable[RunRecord]) -> set[_Part]:
    """Return the activities of a command; if it names no datasets, those that did not succeed."""
    verb, _, names = what.partition(" ")
    names, _, month = names.partition(" of ")
    if "--" in names:
        return {(one.activity, None) for one in records if one.status != "succeeded"}
    listed = _EVERY[verb] if names == "all" else names.split()
    return {(f"{verb} {name}", month or None) for name in listed}


def _is_skipped(record: RunRecord) -> bool:
    return bool(record.figures.get("skipped"))
