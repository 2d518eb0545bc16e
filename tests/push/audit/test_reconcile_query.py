"""Which calls count as delivered twice: by most of their contacts, and small ones together with those beside them."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pytest

from pipelines.push.audit.reconcile_query import _TABLES, COMPARE, make_tables
from pipelines.push.stage.totals import TotalsInStage
from pipelines.warehouse.structure.tables import insert


@pytest.mark.parametrize(
    ("calls", "surplus", "expected"),
    [
        # the contacts of each call, the contacts that hold once more what they have, and the calls that are found
        ([range(9)], range(6), [0]),
        ([range(9)], range(5), []),
        ([range(12)], range(6), []),
        ([range(5)], range(5), []),
        ([range(3), range(3, 6), range(6, 9)], range(6), [0, 1]),
        ([range(3), range(3, 6), range(6, 9), range(9, 12)], range(6), []),
        ([range(number, number + 1) for number in range(11)], [0, 2, 3, 5, 7, 9], [0, 2, 3, 5, 7, 9]),
        ([range(number, number + 1) for number in range(11)], [0, 2, 3, 5, 9], []),
        # small calls before it do not count for a larger one
        ([range(4), range(4, 8), range(8, 14)], range(8, 14), [2]),
        # one other sale of a contact is like the row of each of its calls
        ([range(1)] * 12, [], []),
    ],
    ids=str,
)
def test_calls_that_count_as_delivered_twice(
    calls: Sequence[Sequence[int]], surplus: Sequence[int], expected: Sequence[int]
) -> None:
    """Six contacts at least, and more than half; calls of fewer contacts are taken together, about ten at once."""
    schema = pa.schema(_TABLES["revenue"])
    begun, read = "2024-05-02T10:00:00+00:00", "2024-05-01T10:00:00+00:00"
    rows = [
        (f"+{who}", "1", True, 50_000, 1, begun, 0, 0, 0, 0, read, f"m{call}-{who}", call, f"{call}-{who}")
        for call, contacts in enumerate(calls)
        for who in contacts
    ]
    has = {who: sum(row[0] == f"+{who}" for row in rows) for contacts in calls for who in contacts}
    more = {who: has[who] + (who in surplus) for who in has}
    if not surplus:
        more[0] += 1
    with duckdb.connect() as connection:
        TotalsInStage.load(connection, None)
        sums = ", ".join(
            f"('+{who}', '1', {n * 50_000}, {n}, 0, NULL, {n * 50_000}, {n})" for who, n in more.items()
        )
        connection.execute(f"INSERT INTO totals VALUES {sums}")
        make_tables(connection)
        columns = zip(zip(*rows, strict=True), schema.types, strict=True)
        insert(
            connection, "revenue", pa.table([pa.array(some, kind) for some, kind in columns], schema=schema)
        )
        connection.execute(COMPARE)
        assert [
            chunk for (chunk,) in connection.execute("FROM repeated ORDER BY chunk").fetchall()
        ] == expected
