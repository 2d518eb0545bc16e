"""What runs were asked for and did not do: they were killed, failed or stopped, and nobody has done it since.

A run names what was asked for (`asked` of its records), so that what it did not reach is known, also where all
that it did reach went well later. What does not belong here: what alerts (`alerts.conditions`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from pipelines.run_records.by_run import by_run
from pipelines.runs.run_state import unended_runs
from schemas.own_tables.sync import Manifest, RunRecord
from schemas.registry import PULLED, PUSHED

_EVERY: Mapping[str, Collection[str]] = {"pull": PULLED, "push": PUSHED}
_BEGIN = {"pull": ("pull ", "measure "), "push": ("take in ", "push ")}
"""With what activities begin that are parts of a pull, or of a push."""
_OWN = {"pull": (*_BEGIN["pull"], "publish"), "push": _BEGIN["push"]}
"""The same with what only ends one."""
_LOOKED_AT = {"pull": _BEGIN["pull"], "push": (*_BEGIN["push"], *_BEGIN["pull"])}
"""Of which runs it is known what was asked for: a sync whose pull failed was to push as well."""
_STATUSES = ("killed", "failed", "stopped")
"""What a run may have come to that did not do all, the first of them that one of its activities did."""
_ALERT = ("failed", "killed")
"""What an activity may have come to that alerts by itself until it has run again."""
_MOST_RUNS = 500
"""How many runs are looked at: those that did not do all of a verb are the last, or among the last."""

_Part = tuple[str, str | None]
"""An activity, and the month that it was of; None for all."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a run was asked for and did not do.

    Attributes:
        what: what was asked for, such as `push all`.
        status: killed, failed or stopped.
        began: when the run began: ISO 8601, UTC.
        missing: activities that nobody has done since, each with its month.
        in_whole: whether that is all that was asked for.
        is_begun: whether any of it was begun; a sync that ends in its pull has not begun to push.
        on_purpose: whether a person has stopped it, who knows of it.
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
        """Those that are missing, in their usual order."""
        names = {activity.rpartition(" ")[2] for activity, _ in self.missing}
        return [name for name in _EVERY[self.what.partition(" ")[0]] if name in names]


def commands(asked: str) -> str:
    """What does again what was asked for, as `push all of 2026-10`, or `pull all, push all`."""
    parts = asked.replace(" of ", " --month ").replace(" all", "").split(", ")
    return ", then ".join(f"trackly-sync {part}" for part in parts)


def asked_of_verb(record: RunRecord) -> str:
    """What was asked for with an activity, without what its run was to do as well, such as to push after a pull."""
    asked = record.asked or record.activity
    verb = next((verb for verb, own in _OWN.items() if record.activity.startswith(own)), "")
    return _of_verb(asked, verb) or asked


def _of_verb(asked: str, verb: str) -> str:
    return ", ".join(one for one in asked.split(", ") if one.startswith(f"{verb} "))


@dataclass(slots=True)
class _Done:
    """What newer runs have done, and what is published.

    Attributes:
        published: by dataset, the manifest of what is published.
        parts: what went well.
    """

    published: Mapping[str, Manifest]
    parts: set[_Part] = field(default_factory=set)

    def note(self, records: Sequence[RunRecord], unended: str) -> None:
        """Take in what a run did; what it pulled does not count where it ended early and published nothing."""
        went_well = [one for one in records if one.status == "succeeded"]
        has_all = not unended and len(went_well) == len(records)
        counts_all = has_all or "publish" in {one.activity for one in went_well}
        for one in went_well:
            counts = counts_all or not one.activity.startswith("pull ") or _is_skipped(one)
            if counts:
                self.parts.add((one.activity, one.month))

    def has(self, part: _Part, began: str) -> bool:
        """Whether something was done since a run began."""
        activity, _ = part
        manifest = self.published.get(activity.removeprefix("pull "))
        if manifest and datetime.fromisoformat(manifest.finished_at) >= datetime.fromisoformat(began):
            return True
        return part in self.parts or (activity, None) in self.parts


def unfinished(data_dir: Path, verb: str, published: Mapping[str, Manifest]) -> list[Unfinished]:
    """What pulls or pushes did not do, the largest first; what another was to do as well is there once.

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
    """What a run did of a verb."""
    return [one for one in records if one.activity.startswith(_OWN[verb])]


def _without_parts(found: Sequence[Unfinished]) -> list[Unfinished]:
    """Without what another does as well; of two that do the same, the first."""
    kept: list[Unfinished] = []
    for one in sorted(found, key=lambda one: len(one.missing), reverse=True):
        if not any(one.missing <= larger.missing for larger in kept):
            kept.append(one)
    return kept


def _alerts(records: Iterable[RunRecord], last: Mapping[str, RunRecord]) -> bool:
    """Whether something alerts that did not go well in a run: it failed or was killed when it last ran."""
    return any(one.status != "succeeded" and last[one.activity].status in _ALERT for one in records)


def _of_run(records: Sequence[RunRecord], verb: str, unended: str, done: _Done) -> Iterator[Unfinished]:
    """What a run did not do, by what was asked for."""
    began = records[0].started_at
    for what, parts in _by_asked(records, verb).items():
        wanted = _wanted(what, parts)
        missing = frozenset(part for part in wanted if not done.has(part, began))
        if missing and (status := _status(parts, unended)):
            is_begun = any(one.activity.startswith(_BEGIN[verb]) for one in parts)
            on_purpose = status == "stopped" and not any(one.error for one in parts)
            yield Unfinished(what, status, began, missing, len(missing) == len(wanted), is_begun, on_purpose)


def _by_asked(records: Iterable[RunRecord], verb: str) -> dict[str, list[RunRecord]]:
    """The activities of a run by what they are parts of, as far as that is of a verb."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        if asked := _of_verb(record.asked or record.activity, verb):
            found.setdefault(asked, []).append(record)
    return found


def _status(records: Iterable[RunRecord], unended: str) -> str:
    """What a run came to that did not do all; "" where it may have, or goes on."""
    statuses = {unended, *(record.status for record in records)}
    if "running" in statuses:
        return ""
    return next((status for status in _STATUSES if status in statuses), "")


def _wanted(what: str, records: Iterable[RunRecord]) -> set[_Part]:
    """The activities that were asked for; of what is no list of datasets, those that did not go well."""
    verb, _, names = what.partition(" ")
    names, _, month = names.partition(" of ")
    if "--" in names:
        return {(one.activity, None) for one in records if one.status != "succeeded"}
    listed = _EVERY[verb] if names == "all" else names.split()
    return {(f"{verb} {name}", month or None) for name in listed}


def _is_skipped(record: RunRecord) -> bool:
    return bool((msgspec.json.decode(record.details) or {}).get("skipped"))
