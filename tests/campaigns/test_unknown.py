"""What is not known stays null and says why; nothing is guessed."""

import datetime as dt
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest
from campaigns.audience_oracle import NOW, some_contact
from campaigns.made_campaigns import TODAY, WEEKDAYS, warehouse_of
from oracle import reading

from pipelines.errors import SettingsError
from pipelines.settings import Settings, load_settings

Row = dict[str, Any]
CUSTOM = {"condition_type": "custom_field", "field": "state", "operator": "eq", "value": "CA"}
EARNED = {
    "condition_type": "revenue",
    "field": "last_revenue_at",
    "operator": "within",
    "value": 9,
    "unit": "days",
}


def rows_of(settings: Settings, query: str) -> list[Any]:
    with reading(settings.warehouse) as connection:
        return connection.execute(query).fetchall()


def audience(name: str, condition: Row) -> Row:
    return {"id": name, "status": "active", "filter": {"operator": "AND", "conditions": [condition]}}


def test_columns_that_say_nothing_are_not_counted(tmp_path: Path) -> None:
    """Custom fields that are not kept, times that the account does not serve, contacts that were not pulled."""
    settings = load_settings(data_dir=tmp_path, drop_custom_fields=True)
    audiences = [audience("a", CUSTOM), audience("b", EARNED), audience("c", {**EARNED, "field": "revenue_total",
                 "operator": "gte", "value": 0, "unit": None})]  # fmt: skip
    warehouse_of(settings, {"audiences": audiences})
    query = "SELECT people, not_counted FROM marts.audience_counts ORDER BY audience_id"
    assert rows_of(settings, query) == [(None, "contacts were not pulled")] * 3
    contacts = [
        {**some_contact(random.Random(number), number), "active": True, "conversion_count": 1, "revenue_total": 1,
         "last_revenue_at": None}
        for number in range(5)
    ]  # fmt: skip
    warehouse_of(settings, {"contacts": contacts})
    assert rows_of(settings, query) == [
        (None, "custom fields are left out (TRACKLY_DROP_CUSTOM_FIELDS)"),
        (None, "the account does not serve last_revenue_at of contacts"),
        (5, None),
    ]


SCHEDULE: Row = {
    "id": "s", "name": "S", "status": "on", "send_type": "blast", "audiences": ["a"], "is_repeating": True,
    "send_time": "10:00", "start_date": TODAY, "days_of_week": dict.fromkeys(WEEKDAYS, True), "use_local_time": True,
    "blasts": [{"message": "Hi {{link1}}", "percent_audience": 100, "offer_links": []}],
}  # fmt: skip
PRICE = "the price of a segment (TRACKLY_PRICE_PER_SEGMENT)"


def test_planned_sends_say_what_they_do_not_know(tmp_path: Path) -> None:
    """No figure without all of its parts; a day that is not known is a row all the same."""
    settings = load_settings(data_dir=tmp_path)
    sized = {**audience("a", CUSTOM), "cached_size": 10}
    cases: dict[str, tuple[Row, str | None, tuple[Any, ...]]] = {
        "all": ({}, PRICE, (10, 10.0)),
        "unsized": ({"audiences": ["a", "b"]}, f"the size of an audience; {PRICE}", (None, None)),
        "nobody": ({"audiences": []}, f"whom it is sent to; {PRICE}", (None, None)),
        "automated": ({"send_type": "automated"}, f"which creative each contact gets; {PRICE}", (10, None)),
        "mms": ({"is_mms": True}, f"what an MMS costs; {PRICE}", (10, None)),
        "shares": (
            {"blasts": [{"message": "x", "percent_audience": 40}]},
            f"the shares or texts of its variants; {PRICE}", (10, None),
        ),
        "days": ({"days_of_week": [True] * 6}, f"on which days it runs; {PRICE}", (10, 10.0)),
        "no sunday": (
            {"days_of_week": dict.fromkeys(WEEKDAYS[:6], True)}, f"on which days it runs; {PRICE}", (10, 10.0),
        ),
        "odd name": (
            {"days_of_week": dict.fromkeys((*WEEKDAYS[:6], "day7"), True)},
            f"on which days it runs; {PRICE}", (10, 10.0),
        ),
        "odd value": (
            {"days_of_week": [True] * 6 + ["perhaps"]}, f"on which days it runs; {PRICE}", (10, 10.0),
        ),
        "no value": ({"days_of_week": [True] * 6 + [None]}, f"on which days it runs; {PRICE}", (10, 10.0)),
        "named twice": (
            {"days_of_week": dict.fromkeys((*WEEKDAYS, "day8"), True)},
            f"on which days it runs; {PRICE}", (10, 10.0),
        ),
        "date": ({"is_repeating": False}, f"on which days it runs; {PRICE}", (10, 10.0)),
        "kind": ({"is_repeating": None}, f"on which days it runs; {PRICE}", (10, 10.0)),
    }  # fmt: skip
    schedules = [{**SCHEDULE, "id": name, **given} for name, (given, _, _) in cases.items()]
    schedules.append({**SCHEDULE, "id": "off", "status": "off"})
    schedules.append({**SCHEDULE, "id": "over", "days_of_week": [], "end_date": TODAY - dt.timedelta(days=1)})
    warehouse_of(settings, {"audiences": [sized, audience("b", CUSTOM)], "schedules": schedules})
    query = "SELECT schedule_id, unknown, messages, segments, cost, count(*) FROM marts.planned_sends GROUP BY ALL"
    found = {row[0]: row[1:] for row in rows_of(settings, query)}
    runs = {name: 1 if str(unknown).startswith("on which") else 92 for name, (_, unknown, _) in cases.items()}
    assert found == {
        name: (unknown, *figures, None, runs[name]) for name, (_, unknown, figures) in cases.items()
    }


def test_messages_match_by_their_whole_text_or_not_at_all(tmp_path: Path) -> None:
    """Links masked, white space made one; two creatives of one text match nothing; no texts kept, null."""
    settings = load_settings(data_dir=tmp_path)
    texts = [
        "Sale: {{link1}} now",
        "Same {{link1}}",
        "Same {{ link2 }}",
        "Hi {{first_name}} {{link1}}",
        "Plain",
        None,
    ]
    creatives = [{"id": number, "message": text, "status": "active"} for number, text in enumerate(texts)]
    warehouse_of(settings, {"creatives": creatives})
    query = (
        "SELECT creative_id, same_text, sends_matched_by_text, clicks_matched_by_text, "
        "revenue_matched_by_text::DOUBLE FROM marts.creative_matches ORDER BY creative_id"
    )
    nothing = {0: 1, 1: 2, 2: 2, 3: 1, 4: 1, 5: 1}
    assert rows_of(settings, query) == [(number, same, None, None, None) for number, same in nothing.items()]
    sent = ["Sale: https://sho.rt/aB3 now", "Sale:  sho.rt/x?y=1\nnow", "Sale: now", "Same sho.rt/1",
            "Hi Ann sho.rt/2", "plain", "Sale: sho.rt/z now. Reply STOP"]  # fmt: skip
    with duckdb.connect(str(settings.warehouse)) as connection:
        for number, text in enumerate(sent):
            connection.execute(
                "INSERT INTO imports.records (dataset, identity, message_id, outcome, attempt, in_input, message) "
                "VALUES ('sends', ?, ?, 'accepted', 1, true, ?)", [f"m{number}", f"m{number}", text],
            )  # fmt: skip
        connection.execute(
            "INSERT INTO imports.records (dataset, identity, message_id, outcome, attempt, in_input, happened_at) "
            "VALUES ('clicks', 'c', 'm0', 'accepted', 1, true, ?)", [NOW],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO imports.records (dataset, identity, message_id, outcome, attempt, in_input, revenue) "
            "VALUES ('revenue', 'r', 'm1', 'accepted', 1, true, 2.5)"
        )
    assert rows_of(settings, query)[:2] == [(0, 1, 2, 1, 2.5), (1, 2, None, None, None)]
    assert all(row[2:] == (None, None, None) for row in rows_of(settings, query)[1:])


@pytest.mark.parametrize("name", ["America/Nowhere", "../etc/passwd", "EST5 EDT", "/"])
def test_a_time_zone_that_is_none_is_a_settings_error(name: str) -> None:
    """One line that names the setting."""
    with pytest.raises(
        SettingsError, match=r"TRACKLY_ACCOUNT_TIMEZONE must be a time zone such as America/New_York"
    ):
        load_settings(account_timezone=name)
    assert load_settings(account_timezone="").account_timezone is None


def test_more_audiences_than_one_reading_takes_are_counted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of running schedules come first; of the others no pair is known, which lint does not take for none."""
    monkeypatch.setattr("pipelines.campaigns.publish.IN_ONE_PASS", 2)
    settings = load_settings(data_dir=tmp_path)
    counting = {"condition_type": "count", "field": "send_count", "operator": "gte", "value": 0}
    audiences = [audience(name, counting) for name in "abcde"]
    contacts = [some_contact(random.Random(n), n) | {"active": True, "revenue_total": 0} for n in range(5)]
    schedules = [{**SCHEDULE, "id": name, "audiences": [name]} for name in "cde"]
    warehouse_of(settings, {"contacts": contacts, "audiences": audiences, "schedules": schedules})
    query = "SELECT audience_id, people FROM marts.audience_counts ORDER BY 1"
    assert rows_of(settings, query) == [(name, 5) for name in "abcde"]
    assert rows_of(settings, "SELECT audience_id, other_audience_id FROM marts.audience_overlap") == [
        ("c", "d")
    ]
    query = (
        "SELECT subject_id, about, severity, people FROM marts.campaign_lint "
        "WHERE kind = 'overlap_same_hour' ORDER BY ALL"
    )
    assert rows_of(settings, query) == [
        ("c", "d", "warning", 5),
        ("c", "e", "notice", None),
        ("d", "e", "notice", None),
    ]


def test_lists_of_a_schedule_narrow_whom_it_reaches(tmp_path: Path) -> None:
    """Two schedules of one audience on lists 1 and 2 share those on both; of no list, nobody; else a most."""
    settings = load_settings(data_dir=tmp_path, account_timezone="America/New_York")
    counting = {"condition_type": "count", "field": "send_count", "operator": "gte", "value": 0}
    on_dnc = {"condition_type": "on_dnc", "operator": "eq", "value": True}
    places = [(1, 1), (2, 1), (2, 2), (3, 2), (4, 2), (4, 3)]  # person, list
    contacts = [
        {**some_contact(random.Random(1), person), "list_id": place, "active": True, "revenue_total": 0,
         "timezone": "Pacific/Honolulu" if person == 1 else "America/New_York"}
        for person, place in places
    ]  # fmt: skip
    audiences = [
        {**audience("AAAAAAAAAAAAAAAAAAAAAAAA", counting), "cached_size": 50},
        {**audience("b", on_dnc), "cached_size": 60, "source_lists": [1, 2]},
    ]
    lists = {"one": [1], "two": [2], "none": [99], "all": [], "dnc": [2, 9], "apart": [3], "wide": [2, 1, 3]}
    names = {name: "b" if name in ("dnc", "apart", "wide") else "a" * 24 for name in lists}
    schedules = [
        {**SCHEDULE, "id": name, "audiences": [names[name], names[name].upper()][: 1 + (name == "one")],
         "source_lists": some, "use_local_time": False}
        for name, some in lists.items()
    ]  # fmt: skip
    warehouse_of(settings, {"contacts": contacts, "audiences": audiences, "schedules": schedules})
    figures = (
        "SELECT DISTINCT schedule_id, messages, upper_bound IS NOT NULL FROM marts.planned_sends ORDER BY 1"
    )
    assert rows_of(settings, figures) == [
        ("all", 50, False), ("apart", 0, False), ("dnc", 60, True), ("none", 0, False), ("one", 2, False),
        ("two", 3, False), ("wide", 60, False),
    ]  # fmt: skip
    query = (
        "SELECT subject_id, about, severity, people FROM marts.campaign_lint WHERE kind = 'overlap_same_hour' "
        "AND about NOT IN (SELECT schedule_id FROM marts.schedule_reach WHERE audience_id = 'b') "
        "AND subject_id NOT IN (SELECT schedule_id FROM marts.schedule_reach WHERE audience_id = 'b') ORDER BY ALL"
    )
    assert rows_of(settings, query) == [
        ("all", "one", "warning", 2), ("all", "two", "warning", 3), ("one", "two", "warning", 1),
    ]  # fmt: skip
    query = (
        "SELECT subject_id, kind, people, remedy LIKE '%not_counted%' FROM marts.campaign_lint "
        "WHERE kind LIKE 'quiet%' OR kind LIKE 'audience_%' ORDER BY ALL"
    )
    assert rows_of(settings, query) == [
        ("all", "quiet_hours", 1, False), ("dnc", "quiet_hours_unknown", None, True),
        ("one", "quiet_hours", 1, False), ("wide", "quiet_hours_unknown", None, True),
    ]  # fmt: skip
    on_list = {"operator": "AND", "conditions": [counting | {"list_id": 2}]}
    warehouse_of(settings, {"audiences": [{**audiences[0], "filter": on_list}, audiences[1]]})
    query = "SELECT schedule_id, people, not_counted FROM marts.schedule_reach WHERE audience_id <> 'b' ORDER BY 1"
    other = "a condition on another list than those that are drawn from is not documented"
    assert rows_of(settings, query) == [
        ("all", 3, None), ("none", None, other), ("one", None, other), ("two", 3, None),
    ]  # fmt: skip


def test_ids_are_the_same_in_either_case_and_remedies_fit(tmp_path: Path) -> None:
    """An offer's id in capitals is that offer, a slug in capitals is none; a long text in GSM-7 is shortened."""
    settings = load_settings(data_dir=tmp_path)
    links = [{"key": "link1", "offer_id": ref} for ref in ("ABCDEF" * 4, "OFR_1", "ofr_1")]
    creatives = [
        {"id": 1, "status": "active", "message": "[" * 80, "segment_count": 1, "offer_links": links},
        {"id": 2, "status": "active", "message": "\u2019" * 80, "segment_count": 1},
    ]
    offers = [{"id": "abcdef" * 4, "status": "active", "slug": "ofr_1"}]
    blasts = [{"message": "x", "percent_audience": 100, "offer_links": links}]
    schedules = [{**SCHEDULE, "blasts": blasts}]
    warehouse_of(settings, {"creatives": creatives, "offers": offers, "schedules": schedules})
    found = [("abcdef" * 4, "id"), (None, None), ("abcdef" * 4, "slug")]
    query = "SELECT resolved_offer_id, matched_by FROM main.creative_links ORDER BY position"
    assert rows_of(settings, query) == found
    query = "SELECT offer_id, matched_by FROM marts.campaign_offers ORDER BY subject, link"
    assert rows_of(settings, query) == found * 2
    query = "SELECT subject_id, remedy FROM marts.campaign_lint WHERE kind = 'more_segments' ORDER BY 1"
    short = "Replace what is not in GSM-7 (see marts.message_segments), or shorten it."
    assert rows_of(settings, query) == [("1", "Shorten it."), ("2", short)]
