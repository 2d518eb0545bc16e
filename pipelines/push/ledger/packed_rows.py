"""Packs: all rows of a call of sends or clicks in one row of push_packs, until one of them differs.

A row that its call made accepted needs nothing of its own but its identity, and a history has a million of these. So
an intent packs its rows. If a row gets an outcome of its own, or leaves the input without the others of its call, the
pack is opened: its rows go to push_rows in the same transaction, as if they had been there from the start. Revenue is
never packed.

What does not belong here: when a pack is opened (`ledger`), and reading rows for the stage and the warehouse
(`queries.rows`).
"""

import zlib
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from pipelines.errors import StorageError
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.db.tables import PACKS, ROWS
from pipelines.push.ledger.statements import KEPT, LedgerRows, add

_FAST = 1  # the fastest of zlib's levels

_OVERLAPPING = sa.select(PACKS.c.chunk).where(
    PACKS.c.dataset == sa.bindparam("of"),
    PACKS.c.chunk > sa.bindparam("seen"),
    PACKS.c.last >= sa.bindparam("low"),
    PACKS.c.first <= sa.bindparam("high"),
)
_CONTENT = sa.select(PACKS.c.current, PACKS.c.rows).where(PACKS.c.chunk == sa.bindparam("which"))
_PACK = sa.insert(PACKS)
_OF = sa.select(ROWS.c.identity).where(ROWS.c.dataset == sa.bindparam("of"))
_BETWEEN = _OF.where(ROWS.c.identity.between(sa.bindparam("low"), sa.bindparam("high")))
_AMONG = _OF.where(ROWS.c.identity.in_(sa.bindparam("these", expanding=True)))


class _KnownBy(msgspec.Struct):
    """The columns of a pack that `known_by` decodes."""

    identity: list[str]
    content: bytes = b""


_KNOWN_BY = msgspec.msgpack.Decoder(_KnownBy)


def take_turns(connection: sa.Connection, dataset: str) -> None:
    """Make intents of a dataset wait for each other, so that each sees the packs of those before it.

    SQLite has only one writer at a time anyway.
    """
    if dataset != REVENUE and connection.dialect.name == "postgresql":
        connection.execute(
            sa.text("SELECT pg_advisory_xact_lock(hashtext('trackly-sync intend'), hashtext(:of))"),
            {"of": dataset},
        )


def pack(connection: sa.Connection, dataset: str, rows: LedgerRows, chunk: int, seen: int) -> None:
    """Store the rows of a chunk as a pack; all of them must be new.

    Args:
        connection: a transaction that has written already, or called `take_turns`.
        dataset: sends or clicks.
        rows: the rows.
        chunk: the number of the chunk.
        seen: no chunk up to this number has any of the rows.

    Raises:
        StorageError: the ledger has one of the rows already.
    """
    span = {"low": min(rows.identity), "high": max(rows.identity)}
    mine = frozenset(rows.identity)
    repeated = len(mine) < len(rows.identity) or _in_rows(connection, dataset, mine, span)
    for (number,) in connection.execute(_OVERLAPPING, {"of": dataset, "seen": seen, **span}).all():
        if not repeated:
            (_, content), *_ = connection.execute(_CONTENT, {"which": number}).all()
            repeated = not mine.isdisjoint(known_by(content)[0])
    if repeated:
        raise StorageError(
            f"A row of {dataset} is in the ledger already: another push has it.", "Push again."
        )
    connection.execute(
        _PACK,
        {
            "chunk": chunk,
            "dataset": dataset,
            "first": span["low"],
            "last": span["high"],
            "current": True,
            "rows": _encoded(dataset, rows),
        },
    )


def unpack(connection: sa.Connection, dataset: str, chunks: Iterable[int]) -> None:
    """Open the packs of chunks; chunks without a pack are left alone.

    Args:
        connection: a transaction.
        dataset: sends or clicks.
        chunks: the numbers of the chunks.
    """
    for chunk in chunks:
        for current, content in connection.execute(_CONTENT, {"which": chunk}).all():
            kept = decoded(content)
            nothing = [None] * len(kept["identity"])
            rows = LedgerRows.of([kept.get(name, nothing) for name in KEPT[dataset]])
            add(connection, dataset, rows, chunk, current=current)
            connection.execute(sa.delete(PACKS).where(PACKS.c.chunk == chunk))


def mark(connection: sa.Connection, packs: Mapping[int, bool]) -> None:
    """Record for packs whether all their rows are in the current input, or none."""
    if packs:
        connection.execute(
            sa.update(PACKS)
            .where(PACKS.c.chunk == sa.bindparam("which"))
            .values(current=sa.bindparam("is_in")),
            [{"which": chunk, "is_in": is_in} for chunk, is_in in packs.items()],
        )


def decoded(content: bytes) -> dict[str, list[Any]]:
    """Return the rows of a pack by column: identity, content (if kept) and, for sends, contact and list_ref."""
    packed = zlib.decompressobj()
    columns: dict[str, Any] = msgspec.msgpack.decode(packed.decompress(content))
    # packs of an earlier version have the digests inside the compressed part
    digests = columns.pop("content", b"") or packed.unused_data
    if digests:
        columns["content"] = array("q", digests).tolist()
    return columns


def known_by(content: bytes) -> tuple[list[str], bytes]:
    """Return the identities of a pack's rows, and their digests as bytes, empty if none were kept.

    The other columns are not decoded, because that takes longer than these two.
    """
    packed = zlib.decompressobj()
    columns = _KNOWN_BY.decode(packed.decompress(content))
    return columns.identity, columns.content or packed.unused_data


def _encoded(dataset: str, rows: LedgerRows) -> bytes:
    columns: dict[str, Any] = {name: getattr(rows, name) for name in KEPT[dataset]}
    numbers = [number for number in rows.content if number is not None]
    del columns["content"]
    packed = zlib.compress(msgspec.msgpack.encode(columns), _FAST)
    if len(numbers) < len(rows.identity):
        return packed
    return packed + array("q", numbers).tobytes()  # digests do not compress, and trying takes long


def _in_rows(
    connection: sa.Connection, dataset: str, identities: frozenset[str], span: Mapping[str, str]
) -> bool:
    # PostgreSQL sorts texts in the server's own order, SQLite by their bytes.
    if connection.dialect.name == "postgresql":
        found = connection.execute(_AMONG, {"of": dataset, "these": list(identities)})
    else:
        found = connection.execute(_BETWEEN, {"of": dataset, **span})
    return any(identity in identities for (identity,) in found)
