"""Creatives, audiences and schedules: read in every status, kept as the other datasets are, never written to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from oracle import query, same, shown

from pipelines.alerts.after_run import conditions
from pipelines.cli.shared.attention import attention, pulled_otherwise
from pipelines.errors import NotEnabledError, NotFoundError, ServiceError
from pipelines.pull.derived.audience_sizes import measure_audiences
from pipelines.pull.rollback import replay, rollback
from pipelines.pull.run import pull, pull_all
from pipelines.sandbox import Account, Server, parse_fault, running, seed_account, seed_campaigns, set_status
from pipelines.settings import Settings
from pipelines.trackly.replies.broken_rows import HALF
from pipelines.warehouse.published import published
from schemas import audiences
from schemas.derived import pandera_checks
from schemas.registry import PULLED

CAMPAIGNS = ("creatives", "audiences", "schedules")
STATUSES = {
    "creatives": ("active", "paused", "archived"),
    "audiences": ("active", "archived"),
    "schedules": ("draft", "off", "on", "complete", "archive"),
}


@pytest.fixture
def campaigns() -> Account:
    """An account with two pages of active creatives, and of each kind some in every status."""
    account = seed_account(contacts=20)
    seed_campaigns(account, creatives=230, audiences=150, schedules=66)
    return account


@pytest.fixture
def served(campaigns: Account) -> Iterator[Server]:
    with running(campaigns) as server:
        yield server


@pytest.fixture
def settings(served: Server, tmp_path: Path, settings_of: Callable[..., Settings]) -> Settings:
    return settings_of(served.url, tmp_path / "data", measure_pause_seconds=0)


def rows_of(account: Account, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = getattr(account, name)
    return found


def assert_held(account: Account, settings: Settings) -> None:
    for name in CAMPAIGNS:
        assert same(shown(settings.warehouse, name), rows_of(account, name), "id"), name


def test_a_quiet_account_arrives_equal_by_reads_alone(campaigns: Account, settings: Settings) -> None:
    """Every status, both spellings of filters, slugs and times of either form; links and variants as rows."""
    campaigns.schedules[1]["end_date"] = "2099-01-31T00:00:00Z"  # planned, so nothing odd
    campaigns.audiences[1]["source_lists"] = [1.0, 2]
    made = pull(settings, (*CAMPAIGNS, "offers"), "r1")
    assert [one.manifest.odd_times for one in made] == [""] * 4
    assert {str(one.manifest.consistency) for one in made} == {"exact"}
    assert_held(campaigns, settings)
    for name in CAMPAIGNS:
        assert {row["status"] for row in rows_of(campaigns, name)} == set(STATUSES[name])
    kinds = query(
        settings.warehouse,
        "SELECT count(*) FILTER (filter::VARCHAR LIKE '%conditionType%'), count(*) FILTER"
        " (filter::VARCHAR LIKE '%condition_type%'), any_value(typeof(source_lists)) FROM audiences",
    )
    assert min(kinds[0][:2]) > 0
    assert kinds[0][2] == "BIGINT[]"
    assert_links(campaigns, settings)
    assert_blasts(campaigns, settings)
    assert {request.method for request in campaigns.log} == {"GET"}
    assert {request.path for request in campaigns.log} == {f"/{name}" for name in (*CAMPAIGNS, "offers")}
    asked = [request.query for request in campaigns.log if request.path == "/creatives"]
    assert {one["status"] for one in asked} == {"active", "paused", "archived"}
    assert max(int(one["per_page"]) for one in asked) == 100
    pages = [request.query.get("page") for request in campaigns.log if request.path == "/schedules"]
    assert pages.count("2") == 2, "of each status once, to see that the first reply had all"
    assert set(pages) == {None, "2"}


def assert_links(account: Account, settings: Settings) -> None:
    """One row a link; the offer by its id or its slug, and those that are no offer's stay."""
    by_id = {row["id"] for row in account.offers}
    by_slug = {row["slug"]: row["id"] for row in account.offers if row.get("slug")}
    wanted = [
        (
            row["id"],
            place,
            link["key"],
            link["offer_id"],
            link["url"],
            link["url_params"],
            link["offer_id"] if link["offer_id"] in by_id else by_slug.get(link["offer_id"]),
        )
        for row in account.creatives
        for place, link in enumerate(row["offer_links"], 1)
    ]
    found = query(
        settings.warehouse,
        "SELECT creative_id, position, key, offer_id, url, url_params, resolved_offer_id FROM creative_links"
        " ORDER BY creative_id, position",
    )
    assert [(*row[:5], json.loads(row[5]), row[6]) for row in found] == wanted
    unmatched = query(
        settings.warehouse,
        "SELECT count(*) FILTER (resolved_offer_id IS NULL), count(*) FILTER (matched_by IS NULL),"
        " count(*) FILTER (matched_by = 'slug') FROM creative_links",
    )[0]
    assert unmatched[0] == unmatched[1] == sum(row[6] is None for row in wanted) > 0
    assert unmatched[2] == sum(row[6] is not None and row[3] not in by_id for row in wanted)


def assert_blasts(account: Account, settings: Settings) -> None:
    """One row a variant, in their order."""
    wanted = [
        (
            row["id"],
            place,
            blast["variant_name"],
            float(blast["percent_audience"]),
            blast["message"],
            blast["mms_image_url"],
            blast["offer_links"],
        )
        for row in account.schedules
        for place, blast in enumerate(row["blasts"], 1)
    ]
    found = query(
        settings.warehouse,
        "SELECT schedule_id, position, variant_name, percent_audience, message, mms_image_url, offer_links"
        " FROM schedule_blasts ORDER BY schedule_id, position",
    )
    assert [(*row[:6], json.loads(row[6])) for row in found] == sorted(wanted, key=lambda row: row[:2])


class Drifting:
    """An account that each example seeds again, and its server; hypothesis prints it."""

    def __init__(self, account: Account, server: Server) -> None:
        self.account, self.server = account, server

    def __repr__(self) -> str:
        return "Drifting()"


@pytest.fixture(scope="module")
def drifting() -> Iterator[Drifting]:
    account = seed_account(contacts=5)
    with running(account) as server:
        yield Drifting(account, server)


@effort(
    max_examples=examples(2),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)
@given(
    seed=st.integers(0, 99),
    changes=st.lists(
        st.tuples(
            st.integers(0, 40),  # before which request
            st.sampled_from(CAMPAIGNS),
            st.integers(0, 200),
            st.integers(0, 4),
        ),
        max_size=12,
    ),
)
def test_rows_that_change_their_status_are_there_once(
    drifting: Drifting,
    tmp_path_factory: pytest.TempPathFactory,
    settings_of: Callable[..., Settings],
    seed: int,
    changes: list[tuple[int, str, int, int]],
) -> None:
    """None is lost and none is twice, whatever moves between the reads; what did not move is as it is."""
    account, server = drifting.account, drifting.server
    seed_campaigns(account, creatives=240, audiences=30, schedules=20, seed=seed)
    had: dict[tuple[str, Any], set[str]] = {
        (name, row["id"]): {row["status"]} for name in CAMPAIGNS for row in rows_of(account, name)
    }
    moved = set()
    before = len(account.log)

    def change(number: int, of: Account) -> None:
        for when, name, place, status in changes:
            if when == number - before:
                rows, statuses = rows_of(of, name), STATUSES[name]
                set_status(of, name, place % len(rows), statuses[status % len(statuses)])
                row = rows[place % len(rows)]
                had[name, row["id"]].add(row["status"])
                moved.add((name, row["id"]))

    account.before_request = change
    settings = settings_of(server.url, tmp_path_factory.mktemp("drift"))
    pull(settings, CAMPAIGNS, "r1")
    account.before_request = None
    for name in CAMPAIGNS:
        found = query(settings.warehouse, f"SELECT id, status FROM {name}")
        assert sorted(id_ for id_, _ in found) == sorted(row["id"] for row in rows_of(account, name))
        assert all(status in had[name, id_] for id_, status in found)
        steady = {id_ for of, id_ in had.keys() - moved if of == name}
        assert same(
            [row for row in shown(settings.warehouse, name) if row["id"] in steady],
            [row for row in rows_of(account, name) if row["id"] in steady],
            "id",
        )


def test_rows_have_a_life_as_other_rows_have(
    campaigns: Account, served: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is odd is kept or quarantined, and replayed where it passes by now; versions and a rollback; views follow.

    A pull that fails half-way leaves the tables as they were.
    """
    first, second, third = campaigns.creatives[:3]
    first["status"], second["name"], third["mood"] = "paused", 12, "new"
    campaigns.creatives[4]["creative_type"] = "seasonal"
    campaigns.schedules[0]["status"] = "held"
    campaigns.audiences[3]["cached_size"] = -1
    pull(settings, CAMPAIGNS, "r1")
    assert query(settings.warehouse, "SELECT count(*) FROM schedules WHERE status = 'held'") == [(1,)]
    reasons = query(settings.warehouse, "SELECT reason, raw ->> '$.id' FROM quarantine.creatives")
    assert reasons == [("name: expected str | null, got int", "2")]
    assert query(settings.warehouse, "SELECT id, extra FROM creatives WHERE extra IS NOT NULL") == [
        (third["id"], '{"mood":"new"}')
    ]
    assert query(settings.warehouse, "SELECT count(*) FROM creatives WHERE creative_type = 'seasonal'") == [
        (1,)
    ]
    links = query(settings.warehouse, "SELECT count(*) FROM creative_links")
    assert query(settings.warehouse, "SELECT reason FROM quarantine.audiences") == [
        ("cached_size: must be at least 0",)
    ]
    with monkeypatch.context() as bent:
        columns = pandera_checks.frame_schema(audiences.AUDIENCES).columns
        bent.setattr(columns["cached_size"], "checks", [])
        assert replay(settings, "audiences", "r2")[1] == 1

    held = shown(settings.warehouse, "audiences")
    campaigns.audiences[3]["cached_size"] = 5
    second["name"], first["status"], first["offer_links"] = "well", "archived", []
    served.faults.active.append(parse_fault("500,path=/audiences,skip=3"))
    hasty = settings.model_copy(update={"retry_seconds": 0.0})
    with pytest.raises(ServiceError):
        pull(hasty, ["audiences"], "r3")
    assert shown(settings.warehouse, "audiences") == held
    served.faults.active.clear()
    pull(settings, ["creatives", "audiences"], "r4")
    assert same(shown(settings.warehouse, "audiences"), campaigns.audiences, "id")
    versions = query(
        settings.warehouse,
        "SELECT status, valid_to IS NULL FROM creatives_history WHERE id = ? ORDER BY valid_from",
        first["id"],
    )
    assert versions == [("paused", False), ("archived", True)]
    assert query(settings.warehouse, "SELECT count(*) FROM quarantine.creatives") == [(0,)]
    rollback(settings, "creatives", "r5")
    assert query(settings.warehouse, "SELECT status FROM creatives WHERE id = ?", first["id"]) == [
        ("paused",)
    ]
    assert query(settings.warehouse, "SELECT count(*) FROM creative_links") == links
    at = "SELECT count(*) FROM creatives_as_of(now())"
    assert query(settings.warehouse, at) == [(len(campaigns.creatives) - 1,)]


def test_what_is_not_served_is_left_out_and_shows_where_it_was(
    campaigns: Account, settings: Settings
) -> None:
    """A pull of everything says so and goes on; one that asks for them is refused, and nothing has failed before.

    What is no longer served stays published, and status, alerts and the run's record say so; what was never served is
    only a notice.
    """
    campaigns.creatives, campaigns.audiences = campaigns.creatives[:40], campaigns.audiences[:9]
    unserved = {"creatives": NotFoundError, "schedules": NotFoundError, "offers": NotEnabledError}
    campaigns.options = replace(
        campaigns.options, unserved=("creatives", "schedules"), not_enabled=("offers",)
    )
    skipped = pull_all(settings, "r1").skipped
    assert skipped.keys() == unserved.keys()
    assert "404" in skipped["creatives"]
    assert "product_not_enabled" in skipped["offers"]
    assert not [request for request in campaigns.log if request.path.endswith("/size")]
    assert published(settings.warehouse).keys() == PULLED.keys() - unserved.keys()
    records = query(
        settings.warehouse,
        "SELECT activity, status FROM sync.runs WHERE details ->> '$.skipped' IS NOT NULL ORDER BY activity",
    )
    assert records == [(f"pull {name}", "succeeded") for name in sorted(unserved)]
    for name, error in unserved.items():
        with pytest.raises(error):
            pull(settings, [name], f"only {name}")
    assert told_of(settings) == {}
    lint = (
        "SELECT subject_id, kind, detail LIKE '%serve%' FROM marts.campaign_lint "
        "WHERE subject = 'datasets' ORDER BY 1"
    )
    assert query(settings.warehouse, lint) == [(name, "not_pulled", True) for name in sorted(unserved)]
    campaigns.options = replace(campaigns.options, unserved=("schedules", "audiences"), not_enabled=())
    why = pull_all(settings, "r2").skipped["audiences"]
    assert why.startswith("GET /audiences page=1 per_page=1 at ")
    assert told_of(settings).keys() == {"unserved:audiences"}
    text = told_of(settings)["unserved:audiences"]
    assert text.startswith("audiences was not pulled by the last run, since the account no longer serves it")
    pulled = published(settings.warehouse)
    for notes in (attention(settings, pulled, {}), pulled_otherwise(settings, pulled)):
        assert [note for note in notes if note.startswith(text)]
    error, details = query(
        settings.warehouse,
        "SELECT error, details ->> '$.skipped' FROM sync.runs WHERE run = 'r2' AND activity = 'pull audiences'",
    )[0]
    assert error.startswith("audiences was not pulled, since the account no longer serves it")
    assert details == why
    assert query(settings.warehouse, lint) == [
        ("audiences", "not_renewed", True),
        ("schedules", "not_pulled", True),
    ]
    assert query(settings.warehouse, "SELECT count(*) FROM audiences") == [(len(campaigns.audiences),)]

    campaigns.options = replace(campaigns.options, unserved=(), not_enabled=("offers",))
    campaigns.creatives[0]["message"] = (
        "half \ud83d"  # the first row of the first page, which is asked for alone
    )
    pull_all(settings, "r3")
    halves = query(settings.warehouse, "SELECT raw ->> '$.id', reason FROM quarantine.creatives")
    assert halves == [(str(campaigns.creatives[0]["id"]), HALF)]
    assert told_of(settings).keys() == {"unserved:offers"}, "what is served again is well again"
    campaigns.options = replace(campaigns.options, not_enabled=("lists",))
    with pytest.raises(NotEnabledError, match=r"^GET /lists at .* has no access to product"):
        pull_all(settings, "r4")


def told_of(settings: Settings) -> dict[str, str]:
    """What alerts because it is no longer served."""
    return {
        one.name: one.text for one in conditions(settings) if one.firing and one.name.startswith("unserved:")
    }


def test_progress_expects_the_rows_of_all_reads(campaigns: Account, settings: Settings) -> None:
    """Not only those of the first status, and never fewer than were read."""
    output: list[tuple[int, int | None]] = []
    moving = iter(campaigns.creatives)

    def change(_: int, __: Account) -> None:
        if row := next(moving, None):
            row["status"] = "paused" if row["status"] == "active" else "active"

    campaigns.before_request = change
    pull(settings, ["creatives"], "r1", lambda _, done, of: output.append((done, of)))
    assert all(of is None or done <= of for done, of in output)
    assert output[-1] == (len(campaigns.creatives),) * 2
    assert max(of or 0 for _, of in output) >= len(campaigns.creatives)


def test_sizes_are_counted_on_request_only(campaigns: Account, settings: Settings) -> None:
    """One after the other, those first that were counted longest ago, and no more than was set."""
    pull(settings, ["audiences"], "r1")
    assert not [request for request in campaigns.log if request.path.endswith("/size")]
    waiting = sorted(
        (row["cached_size_updated_at"] or "", row["id"])
        for row in campaigns.audiences
        if row["status"] != "archived"
    )
    campaigns.audiences = [row for row in campaigns.audiences if row["id"] != waiting[1][1]]
    numbers = count()
    done = measure_audiences(
        settings.model_copy(update={"measure_most": 6}), "r2", lambda *_: next(numbers) and None
    )
    assert (done.counted, done.gone, done.left) == (5, 1, len(waiting) - 6)
    asked = [request.path for request in campaigns.log if request.path.endswith("/size")]
    assert asked == [f"/audiences/{id_}/size" for _, id_ in waiting[:6]]
    assert next(numbers) == 6
    pull(settings, ["audiences"], "r3")
    assert same(shown(settings.warehouse, "audiences"), campaigns.audiences, "id")
