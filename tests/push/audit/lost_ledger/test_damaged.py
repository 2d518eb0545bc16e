"""Notes and archives that are damaged are named, with a remedy that works, before anything is sent."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from itertools import cycle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damages import DAMAGES
from histories import sends_to, write_rows
from oracle import query
from pushed_thrice import BOTH, CUT_OFF, LAST, SECOND, Pushed, sales, to_send

from pipelines.errors import StorageError
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.archive.rows import refuse_damaged
from pipelines.push.audit.lost_ledger.calls_under_way import pushed_folder
from pipelines.push.audit.lost_ledger.detect import lost
from pipelines.push.audit.lost_ledger.survivors import add_rows, opened_archive
from pipelines.push.resolve import in_doubt
from pipelines.push.run import plan, push, send
from pipelines.settings import Settings


def rewritten(content: bytes, change: Callable[[pa.Table], pa.Table]) -> bytes:
    """A Parquet file of the same columns, with the same metadata, of other rows."""
    file, table = BytesIO(), pq.read_table(BytesIO(content))
    pq.write_table(change(table), file)
    return file.getvalue()


def nothing_but_nulls(content: bytes) -> bytes:
    """As many rows, of which nothing is left."""

    def emptied(table: pa.Table) -> pa.Table:
        fields = [field.with_nullable(True) for field in table.schema]
        nothing = [pa.nulls(len(table), field.type) for field in fields]
        return pa.table(nothing, schema=pa.schema(fields, table.schema.metadata))

    return rewritten(content, emptied)


def another_row_twice(content: bytes) -> bytes:
    """As many rows, one of them in the place of another."""
    return rewritten(content, lambda table: pa.concat_tables([table[:1], table[:1], table[2:]]))


def read_notes(settings: Settings) -> None:
    """Read what is noted of calls and of their revenue, as taking over does."""
    with opened_archive(settings) as archive:
        assert archive
        add_rows(archive, settings, [])


def test_damaged_notes_are_named_with_a_remedy_that_works(pushed: Pushed) -> None:
    """Nothing is sent; without the folder the latest ledger goes on, and notes are written again.

    A push needs no more than the calls; to take revenue over needs its rows.
    """
    pushed.restore("present", "of the second push")
    settings, folder = pushed.settings, pushed_folder(pushed.settings)
    calls, rows = folder / "calls.parquet", folder / "revenue.parquet"
    damages = (*DAMAGES.values(), nothing_but_nulls, another_row_twice)
    reading = partial(read_notes, settings)
    who_asks = (partial(push, settings, BOTH), partial(plan, settings, BOTH), partial(lost, settings))
    # who asks and what is damaged do not depend
    for path, asks in ((rows, (reading,) * 6), (calls, (*who_asks, *(reading,) * 3))):
        whole = path.read_bytes()
        for damaged, ask in zip(damages, asks, strict=True):
            path.write_bytes(damaged(whole))
            with pytest.raises(StorageError, match=f"{path.name} is damaged: ") as refused:
                ask()
        if path == rows:
            rows.unlink()
            with pytest.raises(StorageError, match=r"revenue.parquet is damaged: it is not there"):
                reading()
            rows.write_bytes(whole)
    assert "move that folder away and push" in refused.value.remedy
    # beside an older ledger, what is taken over is not all that the account has
    assert "also the older ledger" in refused.value.remedy
    assert "\n" not in str(refused.value)
    assert pushed.sales == sales(CUT_OFF)
    folder.rename(settings.data_dir / "away")
    assert push(settings, BOTH).outcomes["revenue"].accepted == LAST
    assert (pushed.sales, calls.exists()) == (sales(LAST), True)


def test_an_archive_without_its_notes_counts(pushed: Pushed) -> None:
    """Damaged ones were moved away, or an earlier version wrote none: it says what was about to be sent.

    Beside an empty ledger nothing leaves, and its rows are taken over.
    """
    pushed.restore("deleted", "deleted")
    settings, folder = pushed.settings, pushed_folder(pushed.settings)
    rows = folder / "revenue.parquet"
    rows.write_bytes(another_row_twice(rows.read_bytes()))
    with pytest.raises(StorageError, match=r"revenue.parquet is damaged: "):
        adopt(settings)
    folder.rename(settings.data_dir / "away")
    with pytest.raises(StorageError, match="The ledger is empty"):
        push(settings, BOTH)
    assert adopt(settings).in_doubt == CUT_OFF, "the archive has them all"
    assert len(in_doubt(settings)) == CUT_OFF
    assert to_send(settings) == LAST - CUT_OFF


def test_damaged_notes_of_calls_under_way_are_named(pushed: Pushed) -> None:
    """What was cut off while it was written is no damage: that call did not leave."""
    pushed.restore("deleted", "deleted")
    settings, path = pushed.settings, pushed_folder(pushed.settings) / "under-way"
    whole = path.read_bytes()
    known = len(lost(settings).calls)
    for end in (b"\n2024-05-02T10:0", b'\n2024-05-02T10:00:00+00:00\t2\t{"identity": ["a"', b"\n\0\0\0"):
        path.write_bytes(whole + end)
        assert len(lost(settings).calls) == known
    no_time = whole + b'\n2024-13-01\t0\t{"identity": []}\t.'
    for damaged in (b"\x9d\xff\n" * 9, whole + b"\nx\t1\t{}\t.", no_time, whole.replace(b"{", b"[")):
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match="under-way is damaged"):
            push(settings, BOTH)
    others = (b'"amount": [7, ', b'"amounts": [', b'"amount": [, ')
    for other, ask in zip(others, (adopt, read_notes, read_notes), strict=True):
        path.write_bytes(whole.replace(b'"amount": [', other, 1))
        with pytest.raises(StorageError, match="under-way is damaged"):
            ask(settings)


def test_notes_of_calls_under_way_without_their_end_are_named(pushed: Pushed) -> None:
    """A line that was there before its call left is not taken for one that was cut off while it was written.

    Without the folder, and beside a ledger that is lost, what the archive has is taken over: as answered as the
    warehouse has it, what it does not have in doubt.
    """
    pushed.restore("deleted", "of the second push")
    settings, path = pushed.settings, pushed_folder(pushed.settings) / "under-way"
    whole = path.read_bytes()
    who_asks = (partial(push, settings, BOTH), partial(lost, settings), partial(adopt, settings))
    for damaged, ask in zip((whole[:-3], whole[: whole.rindex(b"\n")], b"", None), cycle(who_asks)):
        path.write_bytes(damaged) if damaged is not None else path.unlink()
        with pytest.raises(StorageError, match="under-way is damaged: its end is missing"):
            ask()
    path.parent.rename(settings.data_dir / "away")
    answered = "SELECT count(*) FROM imports.records WHERE dataset = 'revenue' AND chunk IS NOT NULL"
    assert query(settings.warehouse, answered) == [(SECOND,)]
    done = adopt(settings)
    assert (done.rows, done.in_doubt) == (CUT_OFF, CUT_OFF - SECOND)
    assert push(settings, BOTH).outcomes["revenue"].accepted == LAST - (CUT_OFF - SECOND)
    assert pushed.sales == sales(LAST)


def altered_within(content: bytes) -> bytes:
    """A file whose form is right, but not what its identities are compressed to."""
    column = pq.ParquetFile(BytesIO(content)).metadata.row_group(0).column(0)
    assert column.path_in_schema == "identity"
    end = column.data_page_offset + column.total_compressed_size
    return content[: end - 20] + bytes(byte ^ 0x5A for byte in content[end - 20 : end]) + content[end:]


def test_a_damaged_archive_of_revenue_is_named_before_anything_is_sent(pushed: Pushed) -> None:
    """Not after the sends have gone."""
    pushed.restore("present", "of the second push")
    settings, account = pushed.settings, pushed.account
    write_rows(settings.history / "sends.ndjson", sends_to(account.contacts()[:3], LAST + 1))
    account.log.clear()
    path = min((settings.parquet_dir / "imports" / "revenue").glob("*.parquet"))
    whole = path.read_bytes()
    asks = [partial(refuse_damaged, settings, BOTH)] * 4 + [
        partial(push, settings, BOTH),
        partial(send, settings, BOTH),
    ]
    for damaged, ask in zip((altered_within, *DAMAGES.values(), nothing_but_nulls), asks, strict=True):
        path.write_bytes(damaged(whole))
        with pytest.raises(StorageError, match=f"{path.name} is damaged: ") as refused:
            ask()
        assert f"move {path.name} away and push" in refused.value.remedy
    assert not [one for one in account.log if one.method == "POST"]
    path.rename(settings.data_dir / path.name)
    assert push(settings, BOTH).outcomes["sends"].accepted == LAST + 1
    assert pushed.sales == sales(LAST)
