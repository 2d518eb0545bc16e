"""The declared checks over the rows of a part, by pandera, in one large batch: its cost is per call.

What does not belong here: rows of the wrong shape, which decoding has set aside (`decode`, `refine`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.pull.refine import Part, read_rows, set_aside, write_bad, write_rows
from pipelines.pull.spool import Spooled
from pipelines.storage import storage_errors
from schemas.frames import broken_rows
from schemas.registry import PULLED


def checked(name: str, part: Part, replies: Sequence[Spooled]) -> tuple[Part, pa.Table]:
    """Set aside the rows of a part that break a check.

    Args:
        name: the dataset's name in `PULLED`.
        part: of `refine`.
        replies: what it was made of.

    Returns:
        The part without those rows, also on the disk, and its good rows.

    Raises:
        StorageError: the disk refused.
    """
    dataset = PULLED[name]
    rows = read_rows(part.good)
    broken = broken_rows(dataset, rows)
    if not broken:
        return part, rows
    places = ((int(rows["page"][at].as_py()), int(rows["row"][at].as_py()), broken[at]) for at in broken)
    bad = set_aside(dataset, {reply.page: reply for reply in replies}, places)
    kept = rows.filter(pa.array([at not in broken for at in range(rows.num_rows)]))
    good = part.good.with_name(f"checked-{part.good.name}")
    write_rows(kept, good)
    return replace(part, good=good, bad=_with_more(part.bad, bad, part.good)), kept


def _with_more(before: Path | None, bad: list[dict[str, object]], good: Path) -> Path | None:
    path = write_bad(bad, good.with_name(f"bad-checked-{good.stem}.parquet"))
    if before is None or path is None:
        return path or before
    with storage_errors("write", path):
        both = pa.concat_tables([pq.read_table(before), pq.read_table(path)])
        pq.write_table(both, path)
    return path
