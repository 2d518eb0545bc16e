"""The comparison of the contacts' totals with the ledger, as SQL: by list, or by phone number if lists cannot tell.

An account may count revenue on another list of the same number than the send's list. So a contact is compared by its
phone number over all lists in two cases: its lists do not show what was accepted but the number does, or the accepted
revenue shows on another of its lists. `list_id` is null for such contacts.

Reads the tables revenue, sends, clicked and acknowledged (rows that may be there twice, and that a person has seen).
A surplus that is exactly such rows means that they are still there; a surplus that has room for them and for other
revenue may be other revenue alone, which totals do not distinguish. In `revenue`, `accepted` is null if a person
resolved the row as rejected: then the only effect is that its contact is compared.

If a gateway repeats a call by itself, the account counts the call twice, but there is only one answer. A single
contact that holds its rows of a call once more may have had another such sale; if most contacts of a call do, its
rows count as rows that were sent again (table `repeated`).
What does not belong here: reading the totals, and the consequences of the comparison (`reconcile`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue.alarms import acknowledged_rows
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.ledger.queries.sums import sent_revenue
from pipelines.warehouse.structure.tables import insert
from schemas.own_tables.imports import STILL_TWICE
from schemas.values.money import CENT, sql_amount

_TABLES: dict[str, list[tuple[str, pa.DataType]]] = {
    "revenue": [
        ("contact", pa.string()),
        ("ref", pa.string()),
        ("accepted", pa.bool_()),
        ("amount", pa.int64()),
        ("tries", pa.int64()),
        ("intended_at", pa.string()),
        ("amount_before", pa.int64()),
        ("count_before", pa.int64()),
        ("phone_amount_before", pa.int64()),
        ("phone_count_before", pa.int64()),
        ("read_to", pa.string()),
        ("message_id", pa.string()),
        ("chunk", pa.int64()),
    ],
    "sends": [("identity", pa.string()), ("contact", pa.string()), ("list_ref", pa.string())],
    "acknowledged": [("contact", pa.string()), ("ref", pa.string()), ("amount", pa.int64())],
    "clicked": [("identity", pa.string()), ("outcome", pa.string())],
}
"""Columns that the comparison reads from the ledger, by table."""

_FEWEST_CONTACTS = 10
"""Fewest contacts of a call for which it counts that most of them hold its rows once more."""

_SUMS = f"""
    coalesce(sum(amount) FILTER (accepted), 0) AS amount, count(*) FILTER (accepted) AS rows,
    coalesce(sum(amount) FILTER (NOT accepted), 0) AS amount_in_doubt,
    count(*) FILTER (NOT accepted) AS rows_in_doubt,
    list(amount) FILTER (accepted AND tries > 1 AND amount IS NOT NULL) AS again,
    bool_or(amount IS NULL AND accepted IS NOT NULL) AS is_unknown,
    -- an account that shows whole cents may be off by one for each row with fractions of a cent
    CASE WHEN any_value(f.amount_before) % {CENT} = 0
      THEN count(*) FILTER (accepted AND amount % {CENT} <> 0) ELSE 0 END AS fractions"""

COMPARE = f"""
CREATE MACRO money(number) AS {sql_amount("number")};
-- rows of unknown amounts (taken over from an earlier version) explain any surplus
CREATE MACRO off_by(found, before, acknowledged, fractions, is_unknown) AS
  CASE WHEN is_unknown AND found >= before + acknowledged THEN 0
    WHEN found % {CENT} = 0 AND abs(found - before - acknowledged) <= fractions * {CENT} THEN 0
    ELSE found - before - acknowledged END;
-- whether a surplus is exactly one of the rows that were sent again, or has room for one of them
CREATE MACRO may_be_twice(conversions, surplus, again) AS coalesce(
  (conversions = 1 AND list_contains(again, surplus::BIGINT))
  OR (conversions > 1 AND surplus >= list_min(again)), false);
CREATE MACRO near(one, other, slack) AS abs(one - other) <= slack;
-- whether a surplus is exactly one, all, or all but one of the rows that a person has seen
CREATE MACRO is_of(conversions, surplus, known, slack) AS coalesce(
  (conversions = 1 AND len(list_filter(known, lambda one: near(one, surplus, slack))) > 0)
  OR (conversions = len(known) AND near(list_sum(known), surplus, slack))
  OR (conversions > 0 AND conversions = len(known) - 1
    AND len(list_filter(known, lambda one: near(list_sum(known) - one, surplus, slack))) > 0), false);
-- for rows that the ledger took over, the contact is known from the send only
CREATE TEMP TABLE owned AS
SELECT r.* REPLACE (coalesce(r.contact, s.contact) AS contact, coalesce(r.ref, s.list_ref) AS ref) FROM revenue AS r
LEFT JOIN sends AS s ON r.contact IS NULL AND s.identity = r.message_id;
CREATE TEMP TABLE keyed AS
SELECT r.*, coalesce(k.list_key, r.ref) AS list_key FROM owned AS r LEFT JOIN list_keys AS k ON k.ref = r.ref
WHERE contact IS NOT NULL;
CREATE TEMP TABLE first AS
SELECT contact, list_key, arg_min(coalesce(amount_before, 0), read_to) AS amount_before,
  arg_min(coalesce(count_before, 0), read_to) AS count_before, min(read_to) AS read_to
FROM keyed WHERE read_to IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE first_of_phone AS
SELECT contact, arg_min(coalesce(phone_amount_before, 0), read_to) AS amount_before,
  arg_min(coalesce(phone_count_before, 0), read_to) AS count_before, min(read_to) AS read_to
FROM keyed WHERE read_to IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE on_lists AS
WITH ours AS (
  SELECT contact, list_key, any_value(f.amount_before) AS amount_before, any_value(f.count_before) AS count_before,
    {_SUMS}
  FROM keyed JOIN first AS f USING (contact, list_key) WHERE intended_at >= f.read_to GROUP BY ALL
)
SELECT o.*, t.amount AS amount_now, t.count AS count_now,
  off_by(t.amount, o.amount_before, o.amount, o.fractions, o.is_unknown) AS amount_off,
  t.count - o.count_before - o.rows AS count_off
FROM ours AS o LEFT JOIN totals AS t ON t.contact = o.contact AND t.list_key = o.list_key;
CREATE TEMP TABLE on_phones AS
WITH ours AS (
  SELECT contact, any_value(f.amount_before) AS amount_before, any_value(f.count_before) AS count_before,
    {_SUMS}
  FROM keyed JOIN first_of_phone AS f USING (contact) WHERE intended_at >= f.read_to GROUP BY ALL
), phones AS (
  SELECT contact, any_value(phone_amount) AS amount, any_value(phone_count) AS count FROM totals GROUP BY contact
)
SELECT o.*, p.amount AS amount_now, p.count AS count_now,
  off_by(p.amount, o.amount_before, o.amount, o.fractions, o.is_unknown) AS amount_off,
  p.count - o.count_before - o.rows AS count_off
FROM ours AS o LEFT JOIN phones AS p USING (contact);
CREATE TEMP TABLE by_person AS
SELECT contact FROM on_lists JOIN on_phones AS p USING (contact) GROUP BY contact
HAVING bool_or(coalesce(on_lists.amount_off <> 0 OR on_lists.count_off <> 0, true))
  AND any_value(p.count_now) IS NOT NULL
  AND (any_value(p.amount_off = 0 AND p.count_off = 0)
    OR bool_or(on_lists.rows > 0 AND on_lists.count_now = on_lists.count_before
      AND p.count_now > p.count_before)
    OR (min(on_lists.count_off) < 0 AND max(on_lists.count_off) > 0));
CREATE TEMP TABLE known_again AS
WITH rows AS (
  SELECT contact, coalesce(k.list_key, a.ref) AS list_key, amount FROM acknowledged AS a
  LEFT JOIN list_keys AS k ON k.ref = a.ref WHERE amount IS NOT NULL
)
SELECT contact, list_key, list(amount) AS known FROM rows WHERE list_key IS NOT NULL GROUP BY ALL
UNION ALL SELECT contact, NULL, list(amount) FROM rows GROUP BY contact;
CREATE TEMP TABLE shown AS
SELECT contact, list_key, * EXCLUDE (contact, list_key) FROM on_lists
WHERE contact NOT IN (SELECT contact FROM by_person)
UNION ALL BY NAME SELECT contact, NULL AS list_key, * EXCLUDE (contact) FROM on_phones
WHERE contact IN (SELECT contact FROM by_person);
-- calls with enough contacts that hold more than expected
CREATE TEMP TABLE grown AS
SELECT chunk FROM keyed WHERE contact IN (SELECT contact FROM shown WHERE count_off > 0) GROUP BY chunk
HAVING 2 * count(DISTINCT contact) > {_FEWEST_CONTACTS};
-- the rows that each of these calls brought, by contact
CREATE TEMP TABLE brought AS
SELECT chunk, s.contact, s.list_key, sum(k.amount)::BIGINT AS amount, count(*) AS rows, list(k.amount) AS amounts,
  any_value(s.count_off) AS count_off, any_value(s.amount_off) AS amount_off,
  any_value(s.rows) AS all_rows, any_value(s.amount) AS all_amount,
  any_value(CASE WHEN s.amount_now % {CENT} = 0 THEN 2 * s.fractions * {CENT} ELSE 0 END) AS slack
FROM (FROM keyed WHERE chunk IN (SELECT chunk FROM grown)) AS k
JOIN shown AS s ON s.contact = k.contact AND (s.list_key IS NULL OR s.list_key = k.list_key)
WHERE k.accepted AND k.amount IS NOT NULL AND s.count_off IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE repeated AS
SELECT chunk FROM brought GROUP BY chunk
HAVING count(*) >= {_FEWEST_CONTACTS} AND 2 * count(*) FILTER (
  (count_off = rows AND near(amount_off, amount, slack))
  OR (count_off = all_rows AND near(amount_off, all_amount, slack))) > count(*);
CREATE TEMP TABLE compared AS
WITH delivered AS (
  SELECT contact, list_key, flatten(list(amounts)) AS twice FROM brought
  WHERE chunk IN (SELECT chunk FROM repeated) GROUP BY ALL
), people AS (
  -- an account that shows whole cents may be off for each row with fractions, and again if it has the row twice
  SELECT s.* REPLACE (list_concat(s.again, d.twice) AS again), a.known,
    CASE WHEN s.amount_now % {CENT} = 0 THEN 2 * s.fractions * {CENT} ELSE 0 END AS slack,
    is_of(count_off, amount_off, known, slack) AS is_still,
    may_be_twice(count_off, amount_off + slack, known) AS has_room
  FROM shown AS s
  LEFT JOIN delivered AS d ON d.contact = s.contact AND d.list_key IS NOT DISTINCT FROM s.list_key
  LEFT JOIN known_again AS a ON a.contact = s.contact AND a.list_key IS NOT DISTINCT FROM s.list_key
), clicked AS (
  SELECT contact, coalesce(k.list_key, s.list_ref) AS list_key, count(*) AS clicks
  FROM clicked AS c JOIN sends AS s USING (identity) LEFT JOIN list_keys AS k ON k.ref = s.list_ref
  WHERE contact IS NOT NULL AND outcome = 'accepted' GROUP BY ALL
), measured AS (
  SELECT 'revenue' AS measure, contact, list_key, money(amount_before) AS before, money(amount) AS accepted,
    money(amount_in_doubt) AS in_doubt, money(amount_now) AS found, money(amount_off) AS difference,
    may_be_twice(count_off, amount_off, again) AS twice, is_still, has_room
  FROM people
  UNION ALL SELECT 'conversions', contact, list_key, count_before, rows, rows_in_doubt, count_now, count_off,
    may_be_twice(count_off, amount_off, again), is_still, has_room FROM people
  UNION ALL SELECT 'clicks', c.contact, c.list_key, 0, c.clicks, 0, t.clicks, t.clicks - c.clicks, false, false, false
  FROM clicked AS c LEFT JOIN totals AS t ON t.contact = c.contact AND t.list_key = c.list_key
)
SELECT measure, contact AS phone_number, try_cast(list_key AS BIGINT) AS list_id,
  before::DECIMAL(18, 4) AS before, accepted::DECIMAL(18, 4) AS accepted, in_doubt::DECIMAL(18, 4) AS in_doubt,
  found::DECIMAL(18, 4) AS found, difference::DECIMAL(18, 4) AS difference,
  CASE WHEN found IS NULL THEN 'contact_gone' WHEN difference < 0 THEN 'missing'
    WHEN in_doubt > 0 THEN 'in_doubt' WHEN is_still THEN '{STILL_TWICE}' WHEN twice
    AND contact NOT IN (SELECT contact FROM acknowledged) THEN 'perhaps_twice' ELSE 'more' END AS finding, has_room
FROM measured;
"""
"""Makes the table `compared`: every contact with rows of ours; money in the account's currency. Makes the table
`repeated`: calls that seem to have been delivered twice.

`has_room`: the surplus may include rows that a person has seen.
"""


def compare(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None) -> int:
    """Make the table `compared`; return how many contacts are in it.

    Args:
        connection: with the tables of `TotalsInStage`.
        ledger: the ledger with what was sent; None if there is none yet.
    """
    for name, columns in _TABLES.items():
        connection.register("incoming", pa.schema(columns).empty_table())
        connection.execute(f"CREATE TEMP TABLE {name} AS FROM incoming")
        connection.unregister("incoming")
    if ledger:
        _fill(connection, ledger)
    connection.execute(COMPARE)
    ((contacts,),) = connection.execute(
        "SELECT count(DISTINCT (phone_number, list_id)) FROM compared"
    ).fetchall()
    return int(contacts)


def _fill(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    with ledger.begin() as transaction:
        _insert(connection, "revenue", sent_revenue(transaction, _names("revenue")))
        _insert(connection, "acknowledged", [acknowledged_rows(transaction)])
    for table, dataset in (("sends", "sends"), ("clicked", "clicks")):
        for batch in ledger_rows(ledger, dataset, _names(table), every_part=True):
            insert(connection, table, batch)


def _names(table: str) -> list[str]:
    return [name for name, _ in _TABLES[table]]


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, batches: Iterable[Sequence[Sequence[Any]]]
) -> None:
    columns = _TABLES[table]
    for rows in filter(None, batches):
        values = zip(*rows, strict=True)
        arrays = [pa.array(some, kind) for some, (_, kind) in zip(values, columns, strict=True)]
        insert(connection, table, pa.table(arrays, schema=pa.schema(columns)))
