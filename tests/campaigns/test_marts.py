"""The marts of campaigns, by plain Python over an account with hundreds of creatives, audiences and schedules."""

import bisect
import datetime as dt
import json
import random
from collections import Counter, defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from campaigns.audience_oracle import meets, names_other_list
from campaigns.made_campaigns import MESSAGES, TODAY, WEEKDAYS, some_account, warehouse_of
from campaigns.test_segments import segments
from oracle import reading

from pipelines.settings import Settings, load_settings

Row = dict[str, Any]
World = tuple[dict[str, list[Row]], Settings]
ZONE = "America/New_York"
PRICE = 0.0079


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("campaigns"), account_timezone=ZONE, price_per_segment=PRICE
    )
    account = some_account(random.Random(5))
    warehouse_of(settings, account)
    return account, settings


def mart(settings: Settings, name: str) -> list[Row]:
    with reading(settings.warehouse) as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        cursor = connection.execute(f"FROM marts.{name}")
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def people_of(audience: Row, contacts: list[Row], *, wide: bool = False, inactive: bool = False) -> set[str]:
    lists = audience["source_lists"]
    return {
        row["phone_number"]
        for row in contacts
        if (not lists or row["list_id"] in lists)
        and (inactive or row["active"])
        and meets(audience["filter"], as_contact(row), wide=wide)
    }


def as_contact(row: Row) -> Row:
    return {**row, "revenue_total": float(row["revenue_total"])}


def is_counted(audience: Row) -> bool:
    return audience["status"] != "archived" and reason_of(audience) is None


def reason_of(audience: Row) -> str | None:
    if "on_dnc" in json.dumps(audience["filter"]):
        return "whether a contact is on the Do Not Call list is in no read of the API"
    if names_other_list(audience["filter"], audience["source_lists"]):
        return "a condition on another list than those that are drawn from is not documented"
    return None


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


def narrowed(audience: Row, schedule: Row) -> Row:
    """An audience as a schedule draws on it: on the lists of both. Lists that are in none of them are list 0."""
    own, theirs = set(schedule["source_lists"] or ()), set(audience["source_lists"] or ())
    both = own & theirs if own and theirs else own or theirs
    return {**audience, "source_lists": sorted(both or {0}) if own or theirs else []}


Reached = dict[tuple[str, str], Row]


@pytest.fixture(scope="module")
def reached(world: World) -> Reached:
    """By schedule that is on and audience: the narrowed audience and, where it can be counted, who is reached."""
    account, _ = world
    audiences = {one["id"]: one for one in account["audiences"]}
    people: dict[str, tuple[set[str], int]] = {}
    found = {}
    for one in account["schedules"]:
        for name in set(one["audiences"]) if one["status"] == "on" else ():
            audience = audiences.get(name)
            row = narrowed(audience, one) if audience else None
            is_known = row and row["status"] != "archived" and (row["source_lists"] == [0] or is_counted(row))
            if row and is_known and (key := f"{name} {row['source_lists']}") not in people:
                wide = people_of(row, account["contacts"], wide=True)
                people[key] = people_of(row, account["contacts"]), len(wide)
            who, most = people[f"{name} {row['source_lists']}"] if row and is_known else (None, None)
            lists = row["source_lists"] if row else (one["source_lists"] or [])
            is_narrowed = bool(one["source_lists"]) and (
                not (audience and audience["source_lists"]) or set(lists) < set(audience["source_lists"])
                or lists == [0]
            )  # fmt: skip
            found[one["id"], name] = {"lists": lists, "people": who, "most": most, "narrowed": is_narrowed}
    return found


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


def resolved(account: dict[str, list[Row]], ref: Any) -> Row | None:
    by_id = {one["id"]: one for one in account["offers"]}
    by_slug = {one["slug"]: one for one in account["offers"] if one["slug"]}
    return by_id.get(ref) or by_slug.get(ref)


def links_of(account: dict[str, list[Row]]) -> list[tuple[str, Row, Any, Row]]:
    """Subject, its row, variant, link."""
    found = [("creatives", one, None, link) for one in account["creatives"] for link in one["offer_links"]]
    for one in account["schedules"]:
        for position, blast in enumerate(one["blasts"], 1):
            found += [("schedules", one, position, link) for link in blast["offer_links"]]
    return found


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


def as_sent(message: str) -> str:
    for link in ("{{link1}}", "{{ link1 }}", "{{link2}}"):
        message = message.replace(link, "x" * 23)
    return message.replace("{{first_name}}", "xxfirst_namexx") + "x" * 34


def estimate(message: str) -> int:
    length = len(as_sent(message))
    return 1 if length <= 160 else -(-length // 153)


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


def runs_of(schedule: Row) -> list[dt.date]:
    """The days of the next 92 on which a schedule runs."""
    days = [TODAY + dt.timedelta(days=number) for number in range(92)]
    if not schedule["is_repeating"]:
        return [day.date() for day in days if day == schedule["send_date"]]
    on = schedule["days_of_week"]
    return [
        day.date()
        for day in days
        if (on[WEEKDAYS[day.weekday()]] if isinstance(on, dict) else on[day.weekday()])
        and day >= schedule["start_date"]
        and (schedule["end_date"] is None or day <= schedule["end_date"])
    ]


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


KIND = {"paused": "offer_paused", "archived": "offer_archived", "odd": "offer_inactive"}


def references(account: dict[str, list[Row]]) -> set[tuple[str, str, str, str]]:
    """Findings about offers, audiences and lists: kind, subject, id, what it is about."""
    found = set()
    for subject, one, _, link in links_of(account):
        if one["status"] != ("on" if subject == "schedules" else "active"):
            continue
        offer = resolved(account, link["offer_id"])
        about = link["offer_id"] or link["key"]
        kind = "link_without_offer" if link["offer_id"] is None else "offer_missing"
        if offer is None or offer["status"] in KIND:
            found.add((kind if offer is None else KIND[offer["status"]], subject, str(one["id"]), about))
    return found | of_schedules(account)


def of_schedules(account: dict[str, list[Row]]) -> set[tuple[str, str, str, str]]:
    """Those about audiences and lists."""
    found = set()
    audiences = {one["id"]: one for one in account["audiences"]}
    states = {one["id"]: one["status"] for one in account["lists"]}
    for one in account["schedules"]:
        if one["status"] != "on":
            continue
        if not one["audiences"]:
            found.add(("no_audience", "schedules", one["id"], ""))
        lists = set(one["source_lists"] or ())
        for name in one["audiences"]:
            audience = audiences.get(name)
            state = audience["status"] if audience else "missing"
            if state != "active":
                kind = f"audience_{state if state in ('missing', 'archived') else 'inactive'}"
                found.add((kind, "schedules", one["id"], name))
            lists |= set(audience["source_lists"] or ()) if audience else set()
        for number in lists:
            if (state := states.get(number, "missing")) != "active":
                found.add((f"list_{state}", "schedules", one["id"], str(number)))
    return found


@pytest.fixture(scope="module")
def findings(world: World) -> list[Row]:
    return mart(world[1], "campaign_lint")


def of_kinds(findings: list[Row], *starts: str) -> list[Row]:
    return [row for row in findings if row["kind"].startswith(starts)]


def test_lint_finds_what_is_paused_archived_or_missing(world: World, findings: list[Row]) -> None:
    """Of active creatives and running schedules, and of no others; each with what to do."""
    account, _ = world
    rows = of_kinds(findings, "offer_", "link_", "audience_", "no_audience", "list_")
    found = [(row["kind"], row["subject"], row["subject_id"], row["about"]) for row in rows]
    assert set(found) == references(account)
    assert len(found) == len(set(found)) > 100
    names = {str(one["id"]): one["name"] for part in ("creatives", "schedules") for one in account[part]}
    assert all(row["subject_name"] == names[row["subject_id"]] and row["remedy"] for row in rows)
    assert not any(text in str(row) for text in MESSAGES for row in findings)


def test_lint_finds_texts_that_need_more_segments(world: World, findings: list[Row]) -> None:
    """Of active creatives against the account's estimate, of running variants against the vendor's rule."""
    account, _ = world
    wanted = {
        ("creatives", str(one["id"]), "")
        for one in account["creatives"]
        if one["status"] == "active" and one["segment_count"]
        and segments(as_sent(one["message"]))[2] > one["segment_count"]
    }  # fmt: skip
    for one in account["schedules"]:
        if one["status"] == "on" and not one["is_mms"]:
            wanted |= {
                ("schedules", one["id"], f"variant {position}")
                for position, blast in enumerate(one["blasts"], 1)
                if segments(as_sent(blast["message"]))[2] > estimate(blast["message"])
            }
    rows = of_kinds(findings, "more_segments")
    assert {(row["subject"], row["subject_id"], row["about"]) for row in rows} == wanted
    assert len(rows) == len(wanted) > 20


def minutes(schedule: Row) -> list[tuple[dt.date, dt.datetime]]:
    """The moments of the next 92 days, in the schedule's own time."""
    if schedule["send_time"] is None:
        return []
    at = dt.time.fromisoformat(schedule["send_time"])
    return [(day, dt.datetime.combine(day, at)) for day in runs_of(schedule)]


def nearest(one: list[dt.datetime], other: list[dt.datetime]) -> float:
    """The least number of minutes between two of the moments, which are in order."""
    found = []
    for moment in one:
        place = bisect.bisect(other, moment)
        found += [abs((moment - near).total_seconds()) / 60 for near in other[max(place - 1, 0) : place + 1]]
    return min(found)


def shared(reached: Reached, one: Row, other: Row) -> tuple[bool, Any, bool]:
    """Whether two schedules send to people of one audience, how many people they share, and whether perhaps."""
    same, people, perhaps = False, [], False
    for first in set(one["audiences"]):
        for second in set(other["audiences"]):
            mine, theirs = reached[one["id"], first], reached[other["id"], second]
            if [0] in (mine["lists"], theirs["lists"]):
                continue
            lists_meet = not mine["lists"] or not theirs["lists"] or set(mine["lists"]) & set(theirs["lists"])
            if mine["people"] is None or theirs["people"] is None:
                same |= bool(first == second and lists_meet)
                perhaps |= bool(lists_meet or first == second)
                continue
            both = len(mine["people"] & theirs["people"])
            is_same = first == second and mine["lists"] == theirs["lists"] and not mine["narrowed"]
            if both or is_same:
                people.append(both)
                same |= first == second
    return same, max(people, default=None), perhaps


def test_lint_finds_schedules_whose_sends_meet(world: World, reached: Reached, findings: list[Row]) -> None:
    """The same people in the same hour, or within skip_within_hours of either."""
    account, _ = world
    running = [one for one in account["schedules"] if one["status"] == "on"]
    moments = {one["id"]: [moment for _, moment in minutes(one)] for one in running}
    wanted = {}
    for place, one in enumerate(running):
        for other in running[place + 1 :]:
            same, people, perhaps = shared(reached, one, other)
            mine, theirs = moments[one["id"]], moments[other["id"]]
            if not mine or not theirs or not (same or people or perhaps):
                continue
            gap = nearest(mine, theirs)
            hours = [{moment.replace(minute=0) for moment in each} for each in (mine, theirs)]
            same_hour = not hours[0].isdisjoint(hours[1])
            skip = max(one["skip_within_hours"] or 0, other["skip_within_hours"] or 0)
            if same_hour or gap < skip * 60:
                severity = "notice" if people is None and not same else "warning"
                kind = "overlap_same_hour" if same_hour else "overlap_within_skip"
                wanted[one["id"], other["id"]] = (kind, severity, people)
    rows = of_kinds(findings, "overlap_")
    assert {
        (row["subject_id"], row["about"]): (row["kind"], row["severity"], row["people"]) for row in rows
    } == wanted
    assert len(rows) == len(wanted) > 40


def test_lint_finds_quiet_hours_by_the_contacts_time_zones(
    world: World, reached: Reached, findings: list[Row]
) -> None:
    """Before 08:00 or after 21:00 of somebody's own time, summer time and all; what is not known says so."""
    account, _ = world
    own: dict[str, list[str]] = defaultdict(list)
    for contact in account["contacts"]:
        if contact["timezone"]:
            own[contact["phone_number"]].append(contact["timezone"])
    found = {row["subject_id"]: row for row in of_kinds(findings, "quiet_hours")}
    for one in account["schedules"]:
        if one["status"] != "on" or not runs_of(one):
            assert one["id"] not in found
            continue
        row = found.get(one["id"])
        clock = one["send_time"]
        if clock is None:
            assert row is not None
            assert row["kind"] == "quiet_hours_unknown"
        elif one["use_local_time"]:
            assert (row and row["kind"]) == ("quiet_hours" if clock < "08:00" or clock > "21:00" else None)
        else:
            parts = [reached[one["id"], name]["people"] for name in set(one["audiences"])]
            outside = outside_of([own[phone] for part in parts if part for phone in part], one)
            unknown = None in parts
            kind = "quiet_hours" if outside else "quiet_hours_unknown" if unknown else None
            assert (row and row["kind"], row and row["people"]) == (kind, outside or None), one
    assert {row["kind"] for row in found.values()} == {"quiet_hours", "quiet_hours_unknown"}


def outside_of(zones: list[list[str]], schedule: Row) -> int:
    """The most people for whom a run of a schedule is outside; of a person's zones the last by name counts."""
    people = Counter(max(one) for one in zones if one)
    most = 0
    for _, moment in minutes(schedule):
        at = moment.replace(tzinfo=ZoneInfo(ZONE))
        outside = [
            zone for zone in people if not dt.time(8) <= at.astimezone(ZoneInfo(zone)).time() <= dt.time(21)
        ]
        most = max(most, sum(people[zone] for zone in outside))
    return most
