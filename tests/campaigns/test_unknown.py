"""What is not known stays null and says why; nothing is guessed."""

import random
from pathlib import Path
from typing import Any

import duckdb
import pytest
from campaigns.audience_oracle import NOW, some_contact
from campaigns.made_campaigns import TODAY, WEEKDAYS, warehouse_of

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
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
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
        "date": ({"is_repeating": False}, f"on which days it runs; {PRICE}", (10, 10.0)),
        "kind": ({"is_repeating": None}, f"on which days it runs; {PRICE}", (10, 10.0)),
    }  # fmt: skip
    schedules = [{**SCHEDULE, "id": name, **given} for name, (given, _, _) in cases.items()]
    schedules.append({**SCHEDULE, "id": "off", "status": "off"})
    warehouse_of(settings, {"audiences": [sized, audience("b", CUSTOM)], "schedules": schedules})
    query = "SELECT schedule_id, unknown, messages, segments, cost, count(*) FROM marts.planned_sends GROUP BY ALL"
    found = {row[0]: row[1:] for row in rows_of(settings, query)}
    runs = {name: 1 if name in ("days", "date", "kind") else 92 for name in cases}
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
