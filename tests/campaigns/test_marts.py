"""The marts of campaigns, by plain Python over an account with hundreds of creatives, audiences and schedules."""

from collections import Counter

import pytest
from campaigns.expected import (
    PRICE,
    Reached,
    World,
    as_sent,
    estimate,
    is_counted,
    links_of,
    mart,
    people_of,
    reason_of,
    resolved,
    runs_of,
)
from campaigns.test_segments import segments
from oracle import reading


@pytest.fixture(scope="module")
def members(world: World) -> dict[str, set[str]]:
    account, _ = world
    return {one["id"]: people_of(one, account["contacts"]) for one in account["audiences"] if is_counted(one)}


def test_audiences_are_counted_by_person(world: World, members: dict[str, set[str]]) -> None:
    """Each number once though it is on several lists; narrow, wide, and with inactive contacts; or why not."""
    account, settings = world
    found = {row["audience_id"]: row for row in mart(settings, "audience_counts")}
    assert found.keys() == {one["id"] for one in account["audiences"]}
    for one in account["audiences"]:
        row = found[one["id"]]
        if not is_counted(one):
            assert (row["people"], row["people_wide"], row["filter_sql"]) == (None, None, None)
            archived = "archived audiences are not counted"
            assert row["not_counted"] == (archived if one["status"] == "archived" else reason_of(one))
            continue
        narrow, wide = len(members[one["id"]]), len(people_of(one, account["contacts"], wide=True))
        size = one["cached_size"]
        assert (row["people"], row["people_wide"], row["cached_size"]) == (narrow, wide, size)
        assert row["people_with_inactive"] == len(people_of(one, account["contacts"], inactive=True))
        outside = None if size is None else size - narrow if size < narrow else max(size - wide, 0)
        assert (row["difference"], row["not_counted"]) == (outside, None)
    assert sum(row["people"] or 0 for row in found.values()) > 1_000


def test_the_sql_of_a_filter_can_be_used(world: World, members: dict[str, set[str]]) -> None:
    """What stands in filter_sql gives the people that were counted."""
    _, settings = world
    with reading(settings.warehouse) as connection:
        query = (
            "SELECT audience_id, filter_sql FROM marts.audience_counts WHERE people BETWEEN 1 AND 99 LIMIT 3"
        )
        for audience, sql in connection.execute(query).fetchall():
            who = f"SELECT DISTINCT phone_number FROM main.contacts WHERE active AND {sql}"
            assert {phone for (phone,) in connection.execute(who).fetchall()} == members[audience]


def test_overlap_and_time_zones_are_by_person(world: World, members: dict[str, set[str]]) -> None:
    """Each pair once, with how many people are in both."""
    account, settings = world
    ids = sorted(members)
    wanted = {
        (one, other): both
        for place, one in enumerate(ids)
        for other in ids[place + 1 :]
        if (both := len(members[one] & members[other]))
    }
    rows = mart(settings, "audience_overlap")
    assert {(row["audience_id"], row["other_audience_id"]): row["people"] for row in rows} == wanted
    running = [set(one["audiences"]) for one in account["schedules"] if one["status"] == "on"]
    for row in rows[::50]:
        pair = {row["audience_id"], row["other_audience_id"]}
        assert row["share_of_audience"] == pytest.approx(row["people"] / len(members[row["audience_id"]]))
        assert row["schedules"] == sum(bool(pair & used) for used in running)
    with reading(settings.warehouse) as connection:
        zones = dict(
            connection.execute(
                "SELECT audience_id, sum(people)::BIGINT FROM sync.audience_timezones WHERE lists = '' GROUP BY 1"
            ).fetchall()
        )
    assert zones == {one: len(people) for one, people in members.items() if people}


def test_schedules_reach_the_people_on_their_lists(world: World, reached: Reached) -> None:
    """Of each audience those on the lists of both; nobody where these share none; null where not counted."""
    rows = mart(world[1], "schedule_reach")
    wanted = {
        key: (
            ",".join(map(str, one["lists"])).replace("0", "none") or None,
            one["narrowed"],
            None if one["people"] is None else len(one["people"]),
            one["most"],
        )
        for key, one in reached.items()
    }
    assert {
        (row["schedule_id"], row["audience_id"]): (
            row["lists"], row["narrowed"], row["people"], row["people_wide"]
        )
        for row in rows
    } == wanted  # fmt: skip
    assert sum(bool(one["narrowed"] and one["people"]) for one in reached.values()) > 3


def test_offers_by_creative_and_variant(world: World) -> None:
    """One row a link; offers are found by id or slug, and what is not found stays visible."""
    account, settings = world
    wanted = Counter()
    for subject, one, position, link in links_of(account):
        offer = resolved(account, link["offer_id"])
        wanted[subject, str(one["id"]), position, link["key"], link["offer_id"], offer and offer["id"],
               offer and offer["status"]] += 1  # fmt: skip
    names = ("subject", "subject_id", "position", "key", "offer_ref", "offer_id", "offer_status")
    rows = mart(settings, "campaign_offers")
    assert Counter(tuple(row[name] for name in names) for row in rows) == wanted
    assert {row["matched_by"] for row in rows} == {"id", "slug", None}


def test_segments_of_every_text(world: World) -> None:
    """By the packing of an oracle; no estimate, no difference; an MMS has no segments."""
    account, settings = world
    found = {
        (row["subject"], row["subject_id"], row["position"]): row
        for row in mart(settings, "message_segments")
    }
    wanted = {}
    for one in account["creatives"]:
        wanted["creatives", str(one["id"]), None] = (*segments(as_sent(one["message"])), one["segment_count"])
    for one in account["schedules"]:
        for position, blast in enumerate(one["blasts"], 1):
            text = blast["message"]
            figures = (None,) * 4 if one["is_mms"] else (*segments(as_sent(text)), estimate(text))
            wanted["schedules", one["id"], position] = figures
    assert {
        key: (row["encoding"], row["units"], row["segments"], row["estimate"]) for key, row in found.items()
    } == wanted
    for row in found.values():
        known = row["segments"] is not None and row["estimate"] is not None
        assert row["extra_segments"] == (max(row["segments"] - row["estimate"], 0) if known else None)
        assert (row["outside_gsm7"] is not None) == (row["encoding"] == "UCS-2")


def test_planned_sends_and_what_they_cost(world: World, reached: Reached) -> None:
    """Sizes by runs by segments by price; each figure is null where a part of it is not known."""
    account, settings = world
    sizes = {one["id"]: one["cached_size"] for one in account["audiences"]}
    wanted = {}
    for one in account["schedules"]:
        if one["status"] != "on":
            continue
        parts = {name: reached[one["id"], name] for name in one["audiences"]}
        ours = {name: part["most"] for name, part in parts.items() if part["narrowed"]}
        known = [sizes.get(name) if ours.get(name) is None else ours[name] for name in parts]
        messages = sum(known) if known and None not in known else None
        shares = [
            (blast["percent_audience"], segments(as_sent(blast["message"]))[2]) for blast in one["blasts"]
        ]
        each = sum(share * size for share, size in shares) / 100
        if one["is_mms"] or one["send_type"] != "blast" or sum(share for share, _ in shares) != 100:
            each = None
        total = None if messages is None or each is None else messages * each
        for day in runs_of(one):
            wanted[one["id"], day] = (
                messages,
                each,
                total,
                None if total is None else round(total * PRICE, 4),
                messages is not None and None in ours.values(),
            )
    found = {
        (row["schedule_id"], row["day"]): (
            row["messages"], row["segments_per_message"], row["segments"], row["cost"] and float(row["cost"]),
            row["upper_bound"] is not None,
        )
        for row in mart(settings, "planned_sends")
    }  # fmt: skip
    assert found.keys() == wanted.keys()
    for key, figures in wanted.items():
        assert found[key] == pytest.approx(figures, abs=1e-4), key
    for row in mart(settings, "planned_sends"):
        assert (row["unknown"] is None) == (row["cost"] is not None)
    assert sum(figures[3] or 0 for figures in wanted.values()) > 0
    assert {figures[4] for figures in wanted.values()} == {True, False}
