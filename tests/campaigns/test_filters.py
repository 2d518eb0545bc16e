"""The audience filter language as SQL, against plain Python; and what cannot be said in SQL."""

import json
import random
from typing import Any

import duckdb
import pytest
from campaigns.audience_oracle import NAMES, NOW, meets, some_contact, some_filter

from pipelines.campaigns.filters import MOST_CONDITIONS, MOST_DEPTH, translate

COLUMNS = {
    "phone_number": "VARCHAR", "list_id": "BIGINT", "active": "BOOLEAN", "signup_date": "TIMESTAMPTZ",
    "last_clicked_at": "TIMESTAMPTZ", "last_sent_at": "TIMESTAMPTZ", "last_revenue_at": "TIMESTAMPTZ",
    "custom_fields": "JSON", "carrier": "VARCHAR", "timezone": "VARCHAR", "send_count": "BIGINT",
    "click_count": "BIGINT", "conversion_count": "BIGINT", "revenue_total": "DECIMAL(18,4)",
}  # fmt: skip
Row = dict[str, Any]


def contacts_in(rows: list[Row]) -> duckdb.DuckDBPyConnection:
    """A table of contacts with these rows, in memory."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    connection.execute(
        f"CREATE TABLE contacts ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
    )
    values = [
        [json.dumps(row[name]) if name == "custom_fields" else row[name] for name in COLUMNS] for row in rows
    ]
    connection.executemany(f"INSERT INTO contacts VALUES ({', '.join('?' * len(COLUMNS))})", values)
    return connection


def test_every_filter_means_in_sql_what_it_means_in_python() -> None:
    """Two hundred filters of any shape over contacts with any value missing, in both readings, row by row."""
    chance = random.Random(17)
    rows = [some_contact(chance, number) for number in range(200)]
    filters = [some_filter(chance) for _ in range(200)]
    texts = [translate(json.dumps(one), NOW) for one in filters]
    assert [one.reason for one in texts] == [None] * len(texts)
    columns = [column for one in texts for column in one.sql or ()]
    with contacts_in(rows) as connection:
        found = connection.execute(
            f"SELECT {', '.join(f'coalesce({one}, false)' for one in columns)} FROM contacts"
        )
        table = found.fetchall()
    wanted = [[meets(one, row, wide=wide) for one in filters for wide in (False, True)] for row in rows]
    for number in range(len(filters)):
        for wide in (0, 1):
            at = 2 * number + wide
            assert [row[at] for row in table] == [row[at] for row in wanted], (filters[number], columns[at])
    assert sum(map(sum, table)) > 1_000


def group(*conditions: Any, **more: Any) -> str:
    return json.dumps({"operator": "AND", "conditions": list(conditions), **more})


CLICKED = {
    "condition_type": "time",
    "field": "last_clicked_at",
    "operator": "within",
    "value": 7,
    "unit": "days",
}
COUNT = {"condition_type": "count", "field": "send_count", "operator": "gte", "value": 3}
CUSTOM = {"condition_type": "custom_field", "field": "state", "operator": "eq", "value": "CA"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "no filter, as of an audience of fixed contacts"),
        ("null", "no filter, as of an audience of fixed contacts"),
        ("{}", "no filter, as of an audience of fixed contacts"),
        ("{", "a filter that is no JSON"),
        ("[1]", "a group that is no object"),
        ('{"operator": "AND", "conditions": 7}', "conditions that are no list"),
        ('{"operator": "AND", "conditions": []}', "a group without conditions"),
        (group(groups=[{"operator": "OR"}]), "a group without conditions"),
        (group(7), "a condition is no object"),
        (group(CLICKED, operator="XOR"), 'the group operator "XOR" is not documented'),
        (group(CLICKED, negate=True), 'the key "negate" of a group is not documented'),
        (group(CLICKED | {"negate": True}), 'the key "negate" of a condition is not documented'),
        (group({"condition_type": "moon"}), 'the condition type "moon" is not documented'),
        (group({"condition_type": ["time"]}), "the condition type \"['time']\" is not documented"),
        (group({"field": "x"}), 'the condition type "None" is not documented'),
        (
            group({"condition_type": "on_dnc", "operator": "eq", "value": True}),
            "whether a contact is on the Do Not Call list is in no read of the API",
        ),
        (
            group({"conditionType": "validation_status", "operator": "eq", "value": "valid"}),
            "the validation status of a contact is in no read of the API",
        ),
        (group(CLICKED | {"operator": "exists", "value": False}), "exists with a value is not documented"),
        (group(CUSTOM | {"operator": "not_exists", "value": "CA"}), "not_exists with a value is not documented"),
        (group(CLICKED | {"value": -7}), "a time with a number below 0 is not documented"),
        (group(CLICKED | {"unit": "moons"}), 'the unit "moons" is not documented'),
        (group(CLICKED | {"value": None}), "a condition whose value must be a number and is none"),
        (group(CLICKED | {"value": "7; DROP"}), "a condition whose value must be a number and is none"),
        (group(CLICKED | {"value": 10**12}), "a time that is too far away"),
        (group(CLICKED | {"operator": "near"}), 'the operator "near" is not documented for time conditions'),
        (group(CLICKED | {"field": "created"}), 'the field "created" is not documented for time conditions'),
        (group(COUNT | {"field": "1; DROP"}), 'the field "1; DROP" is not documented for count conditions'),
        (group(COUNT | {"value": float("inf")}), "a condition whose value must be a number and is none"),
        (group(COUNT | {"value": True}), "a condition whose value must be a number and is none"),
        (group(COUNT | {"value": "9" * 50}), "a condition whose value must be a number and is none"),
        (group(CUSTOM | {"field": ""}), "a custom field without a name"),
        (group(CUSTOM | {"value": {"a": 1}}), "a value that is neither text, number, true nor false"),
        (group(CUSTOM | {"value": "\0"}), "a text with a character that no database keeps"),
        (group(CUSTOM | {"field": "\ud800"}), "a text with a character that no database keeps"),
        (group(CUSTOM | {"operator": "in", "value": []}), "a list of values that is empty, or holds none"),
        (group(CUSTOM | {"operator": "in", "value": [1] * 10_001}), "a list of more than 10,000 values"),
        (group(CUSTOM | {"operator": "\x1b"}), 'the operator "\\x1b" is not documented for custom_field conditions'),
        (group(COUNT | {"list_id": "1 OR 1=1"}), "a list id that is no number"),
        (group(COUNT | {"operator": "near"}), 'the operator "near" is not documented for count conditions'),
        (
            group({"condition_type": "revenue", "field": "has_revenue", "operator": "eq", "value": "perhaps"}),
            '"has_revenue" compared with other than true or false',
        ),
        (group({**CUSTOM, "value": None}), "a condition without a value"),
        (group(CUSTOM | {"operator": "contains", "value": 7}), "contains with other than a text"),
        (group(*[COUNT] * (MOST_CONDITIONS + 1)), "more than 1,000 conditions"),
        ("[" * 200_000, "groups nested more than 50 deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_says_so(given: str | None, reason: str) -> None:
    """No SQL, and one reason, without the value."""
    assert translate(given, NOW) == (None, reason)


def test_numbers_by_lists_and_by_presence() -> None:
    """A number among others, or that is there at all: a null is in no list, and not in none for certain."""
    rows = [{**some_contact(random.Random(1), number), "send_count": number or None} for number in range(4)]
    wanted = {
        ("in", (1, 3)): ([1, 3], [1, 3]),
        ("not_in", (1, 3)): ([2], [0, 2]),
        ("exists", None): ([1, 2, 3], [1, 2, 3]),
        ("not_exists", None): ([0], [0]),
    }
    with contacts_in(rows) as connection:
        for (operator, value), readings in wanted.items():
            sql = translate(group({**COUNT, "operator": operator, "value": value}), NOW).sql
            assert sql is not None
            found = [
                connection.execute(f"SELECT phone_number FROM contacts WHERE {one} ORDER BY 1").fetchall()
                for one in sql
            ]
            numbers = [[(rows[at]["phone_number"],) for at in places] for places in readings]
            assert [sorted(one) for one in found] == [sorted(one) for one in numbers], operator


def test_nesting_is_bounded_and_all_of_it_within_the_bound_is_translated() -> None:
    """Fifty levels are translated; one more is not."""
    text = group(CLICKED)
    for _ in range(MOST_DEPTH - 1):
        text = json.dumps({"operator": "OR", "groups": [json.loads(text)]})
    assert translate(text, NOW).reason is None
    deeper = json.dumps({"operator": "OR", "groups": [json.loads(text)]})
    assert translate(deeper, NOW).reason == "groups nested more than 50 deep"


def test_columns_that_are_not_there_make_a_filter_unknown() -> None:
    """Where custom fields are not kept, a count of zero would be a lie."""
    unknown = {"custom_fields": "custom fields are left out"}
    assert translate(group(CLICKED, CUSTOM), NOW, unknown=unknown) == (None, "custom fields are left out")
    assert translate(group(CLICKED), NOW, unknown=unknown).reason is None


def test_text_from_outside_is_only_text() -> None:
    """Names and values that are SQL find themselves and nothing else, and change nothing."""
    nasty = "}; DROP TABLE contacts; --"
    rows = [some_contact(random.Random(1), number) for number in range(3)]
    rows[1]["custom_fields"] = dict.fromkeys(NAMES, "'); DELETE FROM contacts; --")
    with contacts_in(rows) as connection:
        for name in NAMES[:-1]:
            text = group({**CUSTOM, "field": name, "value": "'); DELETE FROM contacts; --"})
            sql = translate(text, NOW, source_lists=[1, 2]).sql
            assert sql is not None
            found = connection.execute(f"SELECT phone_number FROM contacts WHERE {sql.most}").fetchall()
            assert found == [(rows[1]["phone_number"],)], name
        assert connection.execute("SELECT count(*) FROM contacts").fetchone() == (3,)
    assert nasty in NAMES


def test_source_lists_narrow_an_audience() -> None:
    """None, or an empty list, are all lists."""
    assert translate(group(COUNT), NOW, source_lists=[2, 7]).sql == (
        "list_id IN (2, 7) AND (send_count >= 3)",
        "list_id IN (2, 7) AND (send_count >= 3)",
    )
    assert translate(group(COUNT), NOW, source_lists=[]) == translate(group(COUNT), NOW)


def test_names_may_be_written_as_the_guides_write_them() -> None:
    """`custom_fields.state` is the field state, `conditionType` is condition_type, a null is as good as nothing."""
    wanted = translate(group(CUSTOM), NOW)
    guide = {"conditionType": "custom_field", "field": "custom_fields.state", "operator": "eq", "value": "CA"}
    assert translate(group({**guide, "unit": None, "listId": None}, groups=None), NOW) == wanted
    single = {"conditions": [CUSTOM], "groups": []}
    assert translate(json.dumps(single), NOW) == wanted
