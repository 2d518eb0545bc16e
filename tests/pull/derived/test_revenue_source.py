"""Revenue while its source changes between contacts' totals and events: one source, the right sum and dates."""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from beginnings import Beginning, beginning
from oracle import query

from pipelines.alerts.after_run import conditions
from pipelines.cli.terminal.results import pull_notes
from pipelines.errors import ServiceError
from pipelines.pull.rollback import rollback
from pipelines.pull.run import pull, pull_chosen, snapshot_dataset
from pipelines.runs.recording import new_run_id, records_of
from pipelines.sandbox import Account, Server, parse_fault, running, seed_account
from pipelines.settings import Settings
from pipelines.snapshots import Snapshot, snapshots
from pipelines.warehouse.published import published

BOTH = ("contacts", "revenue")


class Business:
    """An account that earns money, and what is known of it.

    Attributes:
        earned: by amount, each once: the contact and when.
    """

    def __init__(self, account: Account, server: Server, settings: Settings) -> None:
        self.account, self.server, self.settings = account, server, settings
        self.earned: dict[Decimal, tuple[tuple[str, int], dt.datetime]] = {}

    def earn(self, contact: int) -> None:
        """A sale of an amount that no other has, as an event and in the contact's totals."""
        row, amount = self.account.contacts()[contact], Decimal(1000 + len(self.earned))
        row["revenue_total"] = float(Decimal(str(row["revenue_total"])) + amount)
        row["conversion_count"] += 1
        event = {"id": f"sale_{amount}", "revenue": float(amount), "timestamp": "2026-01-01T00:00:00"}
        self.account.revenue.append(event)
        self.earned[amount] = (row["phone_number"], row["list_id"]), dt.datetime.now(dt.UTC)

    def serve(self, how: str) -> None:
        """Serve no events ("totals"), all ("exact"), all and claim more ("fuzzy"), or not all that are claimed."""
        self.server.faults.active.clear()
        self.account.options.revenue_events = how != "totals"
        if how in ("fuzzy", "lossy"):
            self.server.faults.active.append(parse_fault("more,path=/revenue,value=3"))

    def pull(self, how: str, datasets: tuple[str, ...] = BOTH, run: str = "") -> list[Snapshot]:
        self.serve(how)
        lost = self.account.revenue[:2] if how == "lossy" else []
        del self.account.revenue[: len(lost)]
        made = pull(self.settings, datasets, run or new_run_id())
        self.account.revenue[:0] = lost
        return made

    @property
    def total(self) -> Decimal:
        """What the contacts have earned, by the account's own rows."""
        return sum((Decimal(str(row["revenue_total"])) for row in self.account.contacts()), Decimal())

    def sources(self) -> list[tuple[Any, ...]]:
        return query(self.settings.warehouse, "SELECT source, sum(revenue) FROM revenue GROUP BY source")


@pytest.fixture
def business(tmp_path: Path, settings_of: Any) -> Iterator[Business]:
    account = seed_account(contacts=60)
    with running(account) as server:
        yield Business(account, server, settings_of(server.url, tmp_path / "data"))


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory, settings_of: Any) -> Beginning:
    """A business whose revenue was pulled out of totals, and then as events."""

    def make(folder: Path) -> Account:
        account = seed_account(contacts=60)
        with running(account) as server:
            business = Business(account, server, settings_of(server.url, folder / "data"))
            business.pull("totals")
            business.pull("exact")
        return account

    return beginning(tmp_path_factory, "both_sources", make)


COURSE = (
    ("totals", "contacts", ""),
    ("lossy", "contacts", "may be incomplete"),
    ("fuzzy", "events", "revenue has been made of the account's events since"),
    ("lossy", "events", ""),
    ("exact", "events", ""),
    ("totals", "contacts", "no longer serves revenue events"),
    ("totals", "contacts", "no longer serves revenue events"),
)
"""How events are served, the source that revenue has then, and what is noted of that."""


def test_published_revenue_has_one_source_and_the_right_sum(business: Business) -> None:
    """In whatever order events and totals come, and however sure: what was earned is there, once, in its time.

    Events that may be incomplete take the place of totals only where they sum to them. A change of source is shown,
    in alerts and in the run's record: new events once, totals in their place until events are served again.
    """
    settings = business.settings = business.settings.model_copy(update={"keep_snapshots": len(COURSE)})
    notes = []
    for number, (how, source, note) in enumerate(COURSE):
        made = business.pull(how, run=str(number))
        assert business.sources() == [(source, business.total)], (number, how)
        assert made[-1].manifest.source == source
        assert made[-1].manifest.schema_changes == ""
        notes.append(_noted(settings, str(number)))
        assert note in notes[-1], (number, how)
        assert bool(note) == bool(notes[-1]), (number, how)
        if number < 5:
            business.earn(number * 3 % 13)
    since = published(settings.warehouse)["revenue"].source_since
    assert since is not None
    assert since[:16].replace("T", " ") in notes[-1] == notes[-2]
    found = {
        amount: ((phone, of_list), since, timestamp)
        for amount, phone, of_list, since, timestamp in query(
            settings.warehouse,
            "SELECT revenue, phone_number, list_id, since, timestamp FROM revenue WHERE since IS NOT NULL",
        )
    }
    assert found.keys() == business.earned.keys()
    for amount, (contact, earned_at) in business.earned.items():
        who, after, timestamp = found[amount]
        assert who == contact
        assert after < earned_at < timestamp


def _noted(settings: Settings, run: str) -> str:
    """What the run's record has of a change of source; alerts and notes say the same."""
    (record,) = records_of(settings.data_dir, run, ["pull revenue"])
    noted = str(msgspec.json.decode(record.details).get("source_note") or "")
    firing = [one.text for one in conditions(settings) if one.name == "source:revenue" and one.firing]
    assert firing == ([noted] if noted else [])
    assert [note for note in pull_notes(published(settings.warehouse)) if "made of" in note] == [
        f"R{note[1:]}" for note in firing
    ]
    return noted


@pytest.mark.parametrize(("how", "source"), [("lossy", "contacts"), ("fuzzy", "events"), ("exact", "events")])
def test_a_first_pull_shows_what_was_earned(business: Business, how: str, source: str) -> None:
    """Of events that may be incomplete too: from the first pull on the sum is right, and no pull settles for less.

    Nor does what stands for them hold them off: they take its place as soon as all are read.
    """
    for row in business.account.contacts():
        row["revenue_total"] = 0
    for contact in range(4):
        business.earn(contact)
    business.account.revenue = business.account.revenue[-4:]
    for _ in range(2):
        business.pull(how)
        assert business.sources() == [(source, business.total)]
    if source != "events":
        business.pull("exact")
        assert business.sources() == [("events", business.total)]


def test_what_is_earned_after_a_pull_without_any_is_no_opening_balance(business: Business) -> None:
    """An account without revenue has been pulled: what comes then was earned since."""
    for row in business.account.contacts():
        row["revenue_total"], row["conversion_count"] = 0, 0
    business.pull("totals")
    business.earn(4)
    business.pull("totals")
    assert query(business.settings.warehouse, "SELECT revenue, since IS NULL FROM revenue") == [(1000, False)]


def test_rollback_and_pulls_of_one_dataset_keep_to_one_source(business: Business, both: Beginning) -> None:
    """What is published decides how revenue goes on, whatever was read last."""
    settings = business.settings
    both.restore(business.account, settings)
    old = business.total
    business.earn(1)
    rollback(settings, "revenue", "back")
    assert business.sources() == [("contacts", old)]
    business.pull("exact", ("contacts",))
    assert business.sources() == [("contacts", business.total)]
    business.earn(2)
    business.pull("lossy", ("revenue",))
    assert business.sources() == [("contacts", business.total)]
    business.serve("fuzzy")
    snapshot_dataset(settings, "revenue", "killed before it was published")
    business.earn(3)
    business.pull("totals", ("revenue",))
    assert business.sources() == [("contacts", business.total)]
    business.pull("exact", ("revenue",))
    assert business.sources() == [("events", business.total)]
    old = business.total
    business.earn(4)
    business.serve("totals")
    snapshot_dataset(settings, "revenue", "killed before it was published, too")
    business.pull("totals", ("contacts",))
    assert business.sources() == [("events", old)]


def test_revenue_that_was_doubled_is_cured(business: Business, both: Beginning) -> None:
    """Earlier versions kept rows out of totals beside events; whatever is done next ends that, however sure it is."""
    settings = business.settings
    both.restore(business.account, settings)
    totals, events = snapshots(settings.parquet_dir, "revenue")
    all_rows = f"FROM read_parquet({[str(totals.data), str(events.data)]}, union_by_name = true)"
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(f"INSERT INTO main.revenue BY NAME {all_rows} WHERE source = 'contacts'")
        connection.execute(f"COPY ({all_rows}) TO '{events.data}.new' (FORMAT parquet)")
    Path(f"{events.data}.new").replace(events.data)
    assert len(business.sources()) == 2
    doubled = settings.data_dir.rename(settings.data_dir.with_name("doubled"))
    for act, source in {
        lambda: business.pull("fuzzy"): "events",
        lambda: business.pull("lossy"): "contacts",
        lambda: rollback(settings, "revenue", "again", events.manifest.snapshot): "events",
    }.items():
        shutil.rmtree(settings.data_dir, ignore_errors=True)
        shutil.copytree(doubled, settings.data_dir)
        act()
        assert business.sources() == [(source, business.total)]


def test_the_question_for_events_is_part_of_the_pull_of_revenue(business: Business, both: Beginning) -> None:
    """What fails or is tried again there is in the record, the log, the alert and the counts, as of other reads."""
    data, faults = business.settings.data_dir, business.server.faults.active
    both.restore(business.account, business.settings)
    business.settings = business.settings.model_copy(update={"retry_seconds": 1.0})
    faults.append(parse_fault("500,path=/revenue"))
    ways: dict[str, Callable[[str], object]] = {
        "together": lambda run: pull(business.settings, BOTH, run),
        "apart": lambda run: snapshot_dataset(business.settings, "revenue", run),
    }
    for run, way in ways.items():
        with pytest.raises(ServiceError, match="GET /revenue"):
            way(run)
        (record,) = records_of(data, run, ["pull revenue"])
        assert (record.status, "GET /revenue" in str(record.error)) == ("failed", True)
        assert "failed:pull revenue" in {one.name for one in conditions(business.settings) if one.firing}
        log = "".join(path.read_text() for path in (data / "logs").iterdir() if run in path.name)
        assert log.count("GET /revenue") > 1, "each attempt"
    faults[:] = [parse_fault("429,path=/revenue,times=2,seconds=0")]
    asked = len(business.account.log)
    done = pull_chosen(business.settings, BOTH, "last")
    assert (done.requests, done.retries) == (len(business.account.log) - asked, 2)
    (record,) = records_of(data, "last", ["pull revenue"])
    assert record.status == "succeeded"
    assert "failed:pull revenue" not in {one.name for one in conditions(business.settings) if one.firing}
