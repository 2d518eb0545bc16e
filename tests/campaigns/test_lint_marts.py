"""What marts.campaign_lint finds, against the same rules in plain Python."""

import bisect
import datetime as dt
from collections import Counter, defaultdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from campaigns.expected import ZONE, Reached, Row, World, as_sent, estimate, links_of, mart, resolved, runs_of
from campaigns.made_campaigns import MESSAGES
from campaigns.test_segments import segments

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
