"""Pulls datasets and publishes them; the commands and the Dagster assets call this module.

`snapshot_dataset` makes one dataset's snapshot and publishes nothing. `pull` makes several at the same time and
publishes them in one swap. `pull_all` does this for all datasets that the account serves. What does not belong here:
how one dataset is read (see `snapshot`), and printing.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace

from pipelines.alerts.after_run import watched
from pipelines.errors import StorageError
from pipelines.process import interrupts
from pipelines.process.concurrent import run_all
from pipelines.process.garbage import little_garbage
from pipelines.pull.derived.revenue_changes import derive_alone, derived
from pipelines.pull.derived.revenue_source import (
    came_from_contacts,
    in_place_of_events,
    may_use_totals,
    newest_together,
    serves_events,
)
from pipelines.pull.draft import Draft
from pipelines.pull.replies.fetch import Progress, silent
from pipelines.pull.snapshot import ReadOptions, make_snapshot
from pipelines.run_records.failures import failure_recorded
from pipelines.runs.recording import Skipped, part_of, recorded
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, latest
from pipelines.trackly.client import TracklyClient
from pipelines.warehouse.publish import publish
from pipelines.warehouse.published import published_snapshot
from pipelines.warehouse.swap import prepare
from schemas.own_tables.sync import Manifest
from schemas.registry import BY_PRODUCT, PULLED


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of a pull.

    Attributes:
        snapshots: the published snapshots of the datasets that were pulled.
        skipped: the datasets that the account does not serve, each with the account's answer.
        requests: number of requests, retries included.
        retries: number of attempts after a failed one.
    """

    snapshots: list[Snapshot]
    skipped: dict[str, str]
    requests: int
    retries: int


@watched()
def pull_all(
    settings: Settings,
    run: str,
    on_progress: Progress = silent,
    *,
    allow_shrink: bool = False,
    since_last: bool = False,
) -> Pulled:
    """Pull every dataset that the account serves.

    Args:
        settings: see `Settings`.
        run: the run's id.
        on_progress: see `Progress`.
        allow_shrink: as of `pull`.
        since_last: as of `pull`.

    Raises:
        as `pull`.
    """
    wanted = _Wanted(set(PULLED), since_last, skip_unserved=True)
    with part_of("pull all"):
        return _pull_and_publish(settings, wanted, run, on_progress, allow_shrink=allow_shrink)


def pull(
    settings: Settings,
    datasets: Collection[str],
    run: str,
    on_progress: Progress = silent,
    *,
    allow_shrink: bool = False,
    since_last: bool = False,
) -> list[Snapshot]:
    """Make a full, consistent snapshot of each dataset and publish all of them in one swap.

    If revenue comes from contacts' totals, both are pulled together, so that their sums agree.

    Args:
        settings: see `Settings`.
        datasets: names out of `PULLED`.
        run: the run's id.
        on_progress: see `Progress`.
        allow_shrink: publish also if more rows disappear than `settings.pull_shrink_share` allows.
        since_last: read only contacts that have signed up since; their snapshot is then fuzzy.

    Returns:
        The published snapshots; a later one if another pull has overtaken this one.

    Raises:
        UsageError: `since_last` before any full pull.
        AccessError, RequestError, ServiceError: the API did not give the data, also if the account does not serve a
            dataset.
        DataError: too many bad rows, or too many rows gone; nothing was published.
        StorageError, BusyError: the disk or another process stood in the way; nothing was published.
    """
    how = {"allow_shrink": allow_shrink, "since_last": since_last}
    return pull_chosen(settings, datasets, run, on_progress, **how).snapshots


@watched()
def pull_chosen(
    settings: Settings,
    datasets: Collection[str],
    run: str,
    on_progress: Progress = silent,
    *,
    allow_shrink: bool = False,
    since_last: bool = False,
) -> Pulled:
    """Do as `pull`, and return the numbers of requests and retries too.

    Args:
        settings: see `Settings`.
        datasets: names out of `PULLED`.
        run: the run's id.
        on_progress: see `Progress`.
        allow_shrink: as of `pull`.
        since_last: as of `pull`.

    Raises:
        as `pull`.
    """
    wanted = _Wanted(set(datasets), since_last, skip_unserved=False)
    with part_of(f"pull {' '.join(name for name in PULLED if name in wanted.names)}"):
        return _pull_and_publish(settings, wanted, run, on_progress, allow_shrink=allow_shrink)


@watched()
def snapshot_dataset(
    settings: Settings,
    name: str,
    run: str,
    on_progress: Progress = silent,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - it is frozen
) -> Snapshot:
    """Make one dataset's snapshot; `publish_latest` publishes it. Revenue needs a snapshot of contacts.

    Args:
        settings: see `Settings`.
        name: out of `PULLED`.
        run: the run's id.
        on_progress: see `Progress`.
        options: see `ReadOptions`.

    Raises:
        as `pull`; StorageError if revenue needs contacts and there are none.
        Skipped: the account does not serve it, and `options` take that for no fault.
    """
    with little_garbage(), failure_recorded(settings.data_dir, run, [f"pull {name}"]):
        return interrupts.run(_snapshot_one(settings, name, run, on_progress, options))


@watched()
def publish_latest(settings: Settings, run: str) -> list[Snapshot]:
    """Publish the newest snapshot of every dataset.

    Where revenue comes from contacts' totals and contacts were read without it, it is made of them now.

    Raises:
        StorageError, BusyError: the disk or another process stood in the way; nothing was published.
    """
    with recorded(settings.data_dir, run, "publish") as record:
        newest = [snapshot for name in PULLED if (snapshot := latest(settings.parquet_dir, name))]
        done = publish(settings, interrupts.run(newest_together(settings, newest, run)))
        record.rows = sum(snapshot.manifest.rows for snapshot in done)
    return done


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The datasets to pull, and options.

    Attributes:
        names: the datasets.
        since_last: of contacts, read only what has signed up since.
        skip_unserved: whether a dataset that the account does not serve is left out.
    """

    names: set[str]
    since_last: bool
    skip_unserved: bool


def _pull_and_publish(
    settings: Settings, wanted: _Wanted, run: str, on_progress: Progress, *, allow_shrink: bool
) -> Pulled:
    activities = [f"pull {name}" for name in PULLED if name in wanted.names]
    with little_garbage(), failure_recorded(settings.data_dir, run, activities):
        made = interrupts.run(_pull(settings, wanted, run, on_progress))
    with recorded(settings.data_dir, run, "publish") as record:
        done = publish(settings, made.snapshots, allow_shrink=allow_shrink)
        record.rows = sum(snapshot.manifest.rows for snapshot in done)
    now = [s if s in done else published_snapshot(settings, s.manifest.dataset) or s for s in made.snapshots]
    return replace(made, snapshots=now)


async def _pull(settings: Settings, wanted: _Wanted, run: str, on_progress: Progress) -> Pulled:
    """Pull the datasets, and publish nothing."""
    async with TracklyClient(settings) as client:
        snapshots = _Snapshots(client, settings, wanted, run, on_progress)
        made = await snapshots.make(wanted.names)
    if "revenue" not in made and "contacts" in made and came_from_contacts(settings):
        made["revenue"] = await derived(settings, made["contacts"], run)
    new = [made[name] for name in PULLED if name in made]
    return Pulled(new, snapshots.skipped, client.requests, client.retries)


class _Snapshots:
    """Makes the snapshots of one pull concurrently.

    Args:
        client: an open client.
        settings: see `Settings`.
        wanted: options of the snapshots.
        run: the run's id.
        on_progress: see `Progress`.

    Attributes:
        skipped: the datasets that the account does not serve, each with what it answered.
    """

    def __init__(
        self, client: TracklyClient, settings: Settings, wanted: _Wanted, run: str, on_progress: Progress
    ) -> None:
        self.skipped: dict[str, str] = {}
        self._client = client
        self._settings = settings
        self._wanted = wanted
        self._run = run
        self._on_progress = on_progress
        self._made: dict[str, Snapshot] = {}
        self._contacts: asyncio.Task[None] | None = None
        self._unread: set[str] = set()
        self._rest_is_read = asyncio.Event()

    async def make(self, names: Collection[str]) -> dict[str, Snapshot]:
        """Make the snapshots, and prepare the warehouse for them; return them by dataset."""
        self._unread = {"revenue", *names}
        self._note_read("revenue")
        preparing = asyncio.to_thread(prepare, self._settings.warehouse)
        reads = (
            self._contacts_read() if name == "contacts" else self._one(name)
            for name in PULLED
            if name in names
        )
        await run_all([preparing, *reads])
        return self._made

    async def _contacts_read(self) -> None:
        """Read contacts once, for all callers."""
        if self._contacts is None:
            self._contacts = asyncio.create_task(self._one("contacts"))
        await self._contacts

    async def _one(self, name: str) -> None:
        options = ReadOptions(
            since_last=self._wanted.since_last and name == "contacts",
            skip_unserved=self._wanted.skip_unserved and name in BY_PRODUCT,
            unless=self._derived if name == "revenue" else None,
            instead=self._totals if name == "revenue" and self._may_use_totals() else None,
        )
        try:
            self._made[name] = await make_snapshot(
                self._client, self._settings, name, self._run, self._on_progress, options
            )
        except Skipped as skip:
            self.skipped[name] = skip.reason
        self._note_read(name)

    def _note_read(self, name: str) -> None:
        self._unread.discard(name)
        if not self._unread:
            self._rest_is_read.set()

    def _may_use_totals(self) -> bool:
        return may_use_totals(self._settings, "contacts" in self._wanted.names)

    async def _derived(self) -> Snapshot | None:
        """Derive revenue if the account serves no events."""
        if await serves_events(self._client, self._settings):
            return None
        await self._contacts_read()
        await self._rest_is_read.wait()  # this step needs the processor, and replies would wait
        return await derive_alone(self._settings, self._made["contacts"], self._run)

    async def _totals(self, events: Draft, manifest: Manifest) -> Snapshot | None:
        await self._contacts_read()
        return in_place_of_events(self._settings, self._made["contacts"], events, manifest)


async def _snapshot_one(
    settings: Settings, name: str, run: str, on_progress: Progress, options: ReadOptions
) -> Snapshot:
    async def unserved() -> Snapshot | None:
        if await serves_events(client, settings):
            return None
        return await derive_alone(settings, _latest_contacts(settings), run)

    async def totals(events: Draft, manifest: Manifest) -> Snapshot | None:
        return in_place_of_events(settings, _latest_contacts(settings), events, manifest)

    if name == "revenue":
        has_contacts = latest(settings.parquet_dir, "contacts") is not None
        instead = totals if may_use_totals(settings, has_contacts) else None
        options = replace(options, unless=unserved, instead=instead)
    async with TracklyClient(settings) as client:
        return await make_snapshot(client, settings, name, run, on_progress, options)


def _latest_contacts(settings: Settings) -> Snapshot:
    contacts = latest(settings.parquet_dir, "contacts")
    if contacts is None:
        raise StorageError(
            "Revenue is derived from contacts, and there is no snapshot of them.", "Pull contacts."
        )
    return contacts
