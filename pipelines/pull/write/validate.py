"""The declared checks over the rows of a part, by pandera, in one large batch: its cost is per call.

What does not belong here: rows of the wrong shape, which decoding has set aside (`decode.columns`, `decode.decoder`).
"""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from pipelines.pull.decode.batches import Part, read_rows, set_aside, write_bad, write_rows
from pipelines.pull.decode.spool import Spooled
from schemas.frames import broken_rows
from schemas.registry import PULLED


def checked(name: str, part: Part, replies: Sequence[Spooled]) -> tuple[Part, pa.Table]:
    """Set aside the rows of a part that break a check.

    Args:
        name: the dataset's name in `PULLED`.
        part: of `decode.decoder`.
        replies: what it was made of.

    Returns:
        The part without those rows, also on the disk, and its good rows.

    Raises:
        StorageError: the disk refused.
    """
    dataset = PULLED[name]
    rows = read_rows(part)
    broken = broken_rows(dataset, rows)
    if not broken:
        return part, rows
    places = ((int(rows["page"][at].as_py()), int(rows["row"][at].as_py()), broken[at]) for at in broken)
    bad = set_aside(dataset, {reply.page: reply for reply in replies}, places)
    kept = rows.filter(pa.array([at not in broken for at in range(rows.num_rows)]))
    first = part.good[0]
    good = first.with_name(f"checked-{first.name}")
    write_rows(kept, good)
    aside = write_bad(bad, first.with_name(f"bad-checked-{first.stem}.parquet"))
    return replace(part, good=(good,), bad=(*part.bad, aside) if aside else part.bad), kept
