"""What may happen to a Parquet file on a disk: what it holds then, by what it is called."""

from collections.abc import Callable
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq


def _other_table() -> bytes:
    """A Parquet file that is whole, of another table."""
    file = BytesIO()
    pq.write_table(pa.table({"x": [1, 2]}), file)
    return file.getvalue()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "garbage": lambda _: b"\x9d\xff\n" * 99,
    "another table": lambda _: _other_table(),
}
