"""Runs the declared checks over the rows of a batch with pandera; its cost is per call, so batches are large.

What does not belong here: rows of the wrong shape, which decoding has found (`decode.columns`, `decode.decoder`).
"""

from dataclasses import replace

import pyarrow as pa

from pipelines.pull.replies.batches import Batch, raw_bad_rows, read_rows, write_bad, write_rows
from schemas.columns import Dataset
from schemas.derived.pandera_checks import broken_rows


def checked(dataset: Dataset, batch: Batch) -> tuple[Batch, pa.Table]:
    """Move the rows of a batch that break a check to its bad rows.

    Args:
        dataset: what the rows are.
        batch: the batch as it was written.

    Returns:
        The batch without these rows, also on the disk, and its good rows.

    Raises:
        StorageError: the disk refused.
    """
    rows = read_rows(batch)
    broken = broken_rows(dataset, rows)
    if not broken:
        return batch, rows
    places = ((int(rows["page"][at].as_py()), int(rows["row"][at].as_py()), broken[at]) for at in broken)
    bad = raw_bad_rows(dataset, batch.replies, places)
    passed = rows.filter(pa.array([at not in broken for at in range(rows.num_rows)]))
    good = batch.good.with_name(f"checked-{batch.good.name}")
    write_rows(passed, good)
    bad_file = write_bad(bad, batch.good.with_name(f"bad-checked-{batch.good.stem}.parquet"))
    return replace(batch, good=good, bad=(*batch.bad, bad_file) if bad_file else batch.bad), passed
