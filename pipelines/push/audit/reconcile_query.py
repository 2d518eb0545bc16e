"""The comparison of the contacts' totals with the ledger, as SQL: by list, or by phone number if lists cannot tell.

An account may count revenue on another list of the same number than the send's list. So a contact is compared by its
phone number over all lists in two cases: its lists do not show what was accepted but the number does, or the accepted
revenue shows on another of its lists. `list_id` is null for such contacts.

Reads the tables revenue, sends, clicked, acknowledged and alarmed. `acknowledged` has rows that may be there twice
and that a person has seen, once for each time; they have their identity if a reconciliation found them, and none if
an alarm named them. `alarmed` has the contacts that an open alarm names. A surplus that is exactly acknowledged rows
means that they are still there; a surplus that has room for them and for other revenue may be other revenue alone,
which totals do not distinguish. In `revenue`, `accepted` is null if a person resolved the row as rejected: then the
only effect is that its contact is compared.

If a gateway repeats a call by itself, the account counts the call twice, but there is only one answer. A single
contact that holds its rows of a call once more may have had another such sale; if most contacts of a call do, its
rows count as rows that were sent again (table `repeated`). Acknowledged rows are subtracted from a surplus that has
room for them, so that one more delivery of the same call, or another call of the same contacts, is found.
What does not belong here: reading the totals, and the consequences of the comparison (`reconcile`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.revenue.alarms import acknowledged_rows, alarms, named
from pipelines.push.ledger.queries.revenue.repeated import acknowledged_again
from pipelines.push.ledger.queries.rows import ledger_rows
from pipelines.push.ledger.queries.sums import sent_revenue
from pipelines.warehouse.structure.tables import insert
from schemas.own_tables.imports import PERHAPS_TWICE, STILL_TWICE
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
        ("identity", pa.string()),
    ],
    "sends": [("identity", pa.string()), ("contact", pa.string()), ("list_ref", pa.string())],
    "acknowledged": [
        ("contact", pa.string()),
        ("ref", pa.string()),
        ("amount", pa.int64()),
        ("identity", pa.string()),
    ],
    "alarmed": [("contact", pa.string())],
    "clicked": [("identity", pa.string()), ("outcome", pa.string())],
}
"""Columns that the comparison reads from the ledger, by table."""

_FEWEST_CONTACTS = 6
"""So many contacts at least, and most of those of a call, must hold its rows once more."""

_TOGETHER = 10
"""About so many contacts have small calls that are compared as if they were one."""

_SUMS = f"""
    coalesce(sum(amount) FILTER (accepted), 0) AS amount, count(*) FILTER (accepted) AS rows,
    coalesce(sum(amount) FILTER (NOT accepted), 0) AS amount_in_doubt,
    count(*) FILTER (NOT accepted) AS rows_in_doubt,
    coalesce(sum(amount) FILTER (accepted AND NOT is_known), 0) AS fresh_amount,
    count(*) FILTER (accepted AND NOT is_known) AS fresh_rows,
    list(amount) FILTER (accepted AND is_again AND amount IS NOT NULL) AS again,
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
-- how many times a surplus is exactly all of some rows; 0 if it is not
CREATE MACRO times_of(conversions, surplus, rows, amount, slack) AS
  CASE WHEN rows > 0 AND conversions > 0 AND conversions % rows = 0
    AND near(surplus, conversions // rows * amount, conversions // rows * slack) THEN conversions // rows ELSE 0 END;
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
SELECT r.*, coalesce(k.list_key, r.ref) AS list_key,
  known.identity IS NOT NULL AS is_known,
  -- whether the row itself was sent again, and no person has seen it
  tries > 1 AND NOT is_known AND late.contact IS NULL AS is_again
FROM owned AS r LEFT JOIN list_keys AS k ON k.ref = r.ref
LEFT JOIN (SELECT DISTINCT identity FROM acknowledged) AS known ON known.identity = r.identity
LEFT JOIN (SELECT DISTINCT contact FROM acknowledged WHERE identity IS NULL) AS late ON late.contact = r.contact
WHERE r.contact IS NOT NULL;
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
WITH of_all AS (
  SELECT contact, list_key, * EXCLUDE (contact, list_key) FROM on_lists
  WHERE contact NOT IN (SELECT contact FROM by_person)
  UNION ALL BY NAME SELECT contact, NULL AS list_key, * EXCLUDE (contact) FROM on_phones
  WHERE contact IN (SELECT contact FROM by_person)
)
SELECT s.*, known,
  -- an account that shows whole cents may be off for each row with fractions, and again if it has the row twice
  CASE WHEN amount_now % {CENT} = 0 THEN 2 * fractions * {CENT} ELSE 0 END AS slack,
  is_of(count_off, amount_off, known, slack) AS is_still,
  may_be_twice(count_off, amount_off + slack, known) AS has_room,
  coalesce(count_off >= len(known) AND amount_off >= list_sum(known) - slack, false) AS has_all,
  -- the surplus without the rows that a person has seen, if it has room for all of them
  (count_off - CASE WHEN has_all THEN len(known) ELSE 0 END)::BIGINT AS count_left,
  (amount_off - CASE WHEN has_all THEN list_sum(known) ELSE 0 END)::BIGINT AS amount_left
FROM of_all AS s
LEFT JOIN known_again AS a ON a.contact = s.contact AND a.list_key IS NOT DISTINCT FROM s.list_key;
-- a call by itself, or calls with too few contacts for that which follow each other
CREATE TEMP TABLE blocks AS
WITH sizes AS (
  SELECT chunk, count(DISTINCT contact) AS contacts FROM keyed WHERE accepted AND amount IS NOT NULL GROUP BY chunk
)
SELECT chunk, chunk AS block FROM sizes WHERE contacts >= {_FEWEST_CONTACTS}
UNION ALL SELECT chunk, -1 - (sum(contacts) OVER (ORDER BY chunk) - contacts) // {_TOGETHER} FROM sizes
WHERE contacts < {_FEWEST_CONTACTS};
-- those with enough contacts that hold more than a person has seen
CREATE TEMP TABLE grown AS
SELECT block FROM keyed JOIN blocks USING (chunk)
WHERE contact IN (SELECT contact FROM shown WHERE count_off > 0 AND NOT is_still)
GROUP BY block HAVING count(DISTINCT contact) >= {_FEWEST_CONTACTS};
-- the rows that each of these calls brought, by contact
CREATE TEMP TABLE brought AS
WITH of_calls AS (
  SELECT block, k.chunk, s.contact, s.list_key, sum(k.amount)::BIGINT AS brought_amount, count(*) AS brought_rows,
    list(k.amount) AS amounts, bool_or(k.is_known) AS is_known
  FROM (FROM keyed JOIN blocks USING (chunk) WHERE block IN (SELECT block FROM grown)) AS k
  JOIN shown AS s ON s.contact = k.contact AND (s.list_key IS NULL OR s.list_key = k.list_key)
  WHERE k.accepted AND k.amount IS NOT NULL AND s.count_off IS NOT NULL GROUP BY ALL
)
SELECT c.block, c.chunk, c.contact, c.list_key, c.amounts, CASE WHEN s.is_still THEN 0 ELSE greatest(
    times_of(count_left, amount_left, brought_rows, brought_amount, slack),
    times_of(count_left, amount_left, s.rows, s.amount, slack),
    CASE WHEN is_known THEN 0 ELSE greatest(
      times_of(count_off, amount_off, brought_rows, brought_amount, slack),
      times_of(count_off, amount_off, fresh_rows, fresh_amount, slack),
      times_of(count_left, amount_left, fresh_rows, fresh_amount, slack)) END) END AS times
FROM of_calls AS c JOIN shown AS s ON s.contact = c.contact AND s.list_key IS NOT DISTINCT FROM c.list_key;
CREATE TEMP TABLE repeated AS
WITH told AS (
  SELECT block, count(DISTINCT contact) FILTER (times > 0) AS hold FROM brought GROUP BY block
  HAVING hold >= {_FEWEST_CONTACTS} AND 2 * hold > count(DISTINCT contact)
)
SELECT chunk FROM brought WHERE block IN (SELECT block FROM told) GROUP BY chunk
HAVING 2 * count(*) FILTER (times > 0) > count(*);
CREATE TEMP TABLE compared AS
WITH delivered AS (
  SELECT contact, list_key, flatten(list(amounts)) AS twice, max(times) AS times FROM brought
  WHERE chunk IN (SELECT chunk FROM repeated) GROUP BY ALL
), people AS (
  SELECT s.*, coalesce(times > 0, false)
    OR may_be_twice(count_left, amount_left, list_concat(s.again, d.twice)) AS is_twice
  FROM shown AS s
  LEFT JOIN delivered AS d ON d.contact = s.contact AND d.list_key IS NOT DISTINCT FROM s.list_key
), clicked AS (
  SELECT contact, coalesce(k.list_key, s.list_ref) AS list_key, count(*) AS clicks
  FROM clicked AS c JOIN sends AS s USING (identity) LEFT JOIN list_keys AS k ON k.ref = s.list_ref
  WHERE contact IS NOT NULL AND outcome = 'accepted' GROUP BY ALL
), measured AS (
  SELECT 'revenue' AS measure, contact, list_key, money(amount_before) AS before, money(amount) AS accepted,
    money(amount_in_doubt) AS in_doubt, money(amount_now) AS found, money(amount_off) AS difference,
    is_twice, is_still, has_room
  FROM people
  UNION ALL SELECT 'conversions', contact, list_key, count_before, rows, rows_in_doubt, count_now, count_off,
    is_twice, is_still, has_room FROM people
  UNION ALL SELECT 'clicks', c.contact, c.list_key, 0, c.clicks, 0, t.clicks, t.clicks - c.clicks, false, false, false
  FROM clicked AS c LEFT JOIN totals AS t ON t.contact = c.contact AND t.list_key = c.list_key
)
SELECT measure, contact AS phone_number, try_cast(list_key AS BIGINT) AS list_id,
  before::DECIMAL(18, 4) AS before, accepted::DECIMAL(18, 4) AS accepted, in_doubt::DECIMAL(18, 4) AS in_doubt,
  found::DECIMAL(18, 4) AS found, difference::DECIMAL(18, 4) AS difference,
  CASE WHEN found IS NULL THEN 'contact_gone' WHEN difference < 0 THEN 'missing'
    WHEN in_doubt > 0 THEN 'in_doubt' WHEN is_still THEN '{STILL_TWICE}'
    WHEN is_twice THEN '{PERHAPS_TWICE}' ELSE 'more' END AS finding, has_room
FROM measured;
"""
"""Makes the table `compared`: every contact with rows of ours; money in the account's currency. Makes the table
`repeated`: calls that seem to have been delivered twice.

`has_room`: the surplus may include rows that a person has seen.
"""

_FOUND = f"""
WITH told AS (
  SELECT DISTINCT phone_number, list_id FROM compared WHERE finding = '{PERHAPS_TWICE}'
), delivered AS (
  SELECT chunk, contact, max(times) AS times FROM brought WHERE chunk IN (SELECT chunk FROM repeated) GROUP BY ALL
), found AS (
  SELECT k.identity, d.chunk, k.contact, k.ref AS list_ref, k.amount, unnest(range(greatest(d.times, 1))) AS time
  FROM keyed AS k LEFT JOIN delivered AS d ON d.chunk = k.chunk AND d.contact = k.contact
  WHERE k.accepted AND k.amount IS NOT NULL
    AND (d.chunk IS NOT NULL OR (is_again AND k.contact NOT IN (SELECT contact FROM alarmed)))
    AND EXISTS (FROM told AS t WHERE t.phone_number = k.contact
      AND (t.list_id IS NULL OR t.list_id = try_cast(k.list_key AS BIGINT)))
)
SELECT * EXCLUDE (time) FROM found ORDER BY contact, identity, time
"""
"""The rows that are perhaps there twice and that no open alarm names, each as many times as it is there too often.

`chunk` is null for rows that were sent again.
"""

_GONE = """
SELECT DISTINCT identity FROM keyed WHERE is_known AND contact IN (
  SELECT contact FROM shown GROUP BY contact HAVING bool_and(coalesce(count_off <= 0, false)))
"""
"""Acknowledged rows whose contacts no longer hold a surplus."""


def compare(connection: duckdb.DuckDBPyConnection, ledger: Ledger | None) -> int:
    """Make the table `compared`; return how many contacts are in it.

    Args:
        connection: a connection with the tables of `TotalsInStage`.
        ledger: the ledger with what was sent; None if there is none yet.
    """
    make_tables(connection)
    if ledger:
        _fill(connection, ledger)
    connection.execute(COMPARE)
    ((contacts,),) = connection.execute(
        "SELECT count(DISTINCT (phone_number, list_id)) FROM compared"
    ).fetchall()
    return int(contacts)


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that the comparison reads, without rows."""
    for name, columns in _TABLES.items():
        connection.register("incoming", pa.schema(columns).empty_table())
        connection.execute(f"CREATE TEMP TABLE {name} AS FROM incoming")
        connection.unregister("incoming")


def found_twice(connection: duckdb.DuckDBPyConnection) -> tuple[pa.Table, list[str]]:
    """Return the rows that are perhaps there twice, and the acknowledged rows that no longer are.

    Args:
        connection: after `compare`.

    Returns:
        Rows as `ledger.queries.revenue.repeated.note_found` takes them, and identities.
    """
    return connection.sql(_FOUND).to_arrow_table(), [one for (one,) in connection.sql(_GONE).fetchall()]


def _fill(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    with ledger.begin() as transaction:
        _insert(connection, "revenue", sent_revenue(transaction, _names("revenue")))
        _insert(connection, "acknowledged", [acknowledged_rows(transaction), acknowledged_again(transaction)])
        for one in alarms(transaction):
            _insert(connection, "alarmed", [[(row.contact,) for row in named(transaction, one.alarm)]])
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
