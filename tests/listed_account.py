"""An account for the tests of the scan: a list in memory that changes between any two requests.

Only the wire is made up; replies are read as a pull reads them.
"""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipelines.pull.decode.row_keys import ReplyReader, Seen
from pipelines.pull.endpoints import Endpoint
from pipelines.pull.read.chain import Evidence
from pipelines.pull.read.scan import scan
from pipelines.pull.replies.accept import Check
from pipelines.trackly.client import Query

Row = dict[str, Any]


@dataclass
class Account:
    """Rows newest first, a script of changes by request number, and what existed throughout."""

    rows: list[Row]
    script: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    seed: int = 0
    cap: int = 10_000
    requests: int = 0
    got: dict[int, int] = field(default_factory=dict)
    stayed: set[int] = field(default_factory=set)
    clock: int = 10**6
    changed: bool = False
    day: int = 1

    def __post_init__(self) -> None:
        self.stayed = {row["id"] for row in self.rows}
        self.random = random.Random(self.seed)

    def change(self, kind: str, where: int) -> None:
        """One change at a place that is taken modulo the number of rows."""
        self.clock += 1
        self.changed = True
        at = where % max(len(self.rows), 1)
        if kind == "sign up":
            self.rows.insert(0, {"id": self.clock, "at": self.clock, "v": 0})
        elif kind == "backdated":
            self.rows.insert(at, {"id": self.clock, "at": self.rows[at]["at"] if self.rows else 0, "v": 0})
        elif not self.rows:
            return
        elif kind == "delete":
            self.stayed.discard(self.rows.pop(at)["id"])
        elif kind == "update":
            self.rows[at] = {**self.rows[at], "v": self.clock}
        elif kind == "sign up again":
            self.rows.insert(0, {**self.rows.pop(at), "at": self.clock})

    def in_order(self) -> list[Row]:
        """The rows as this moment's reply has them: those of one day in any order."""
        if self.day == 1:
            return self.rows
        mixed = self.random.sample(self.rows, len(self.rows))
        return sorted(mixed, key=lambda row: -(row["at"] // self.day))

    def serve(self, query: Query) -> bytes:
        """Answer one request as the API would, after what the script has for this moment."""
        for kind, where in self.script.get(self.requests, ()):
            self.change(kind, where)
        self.requests += 1
        page, per_page = int(query["page"]), min(int(query["per_page"]), self.cap)
        rows = self.in_order()[(page - 1) * per_page : page * per_page]
        for row in rows:
            self.got[row["id"]] = row["v"]
        at = {"page": page, "per_page": per_page, "total": len(self.rows), "total_pages": 0}
        return json.dumps({"rows": rows, "pagination": at}).encode()

    async def fetch(self, query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG002 - no spool
        """One request that takes a random number of turns on its way there and back."""
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        body = self.serve(query)
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        return seen(body, check)


def seen(body: bytes, check: Check, order: str | None = None) -> Seen:
    """A reply as the scan is to see it, and whether it is the page asked for."""
    found = ReplyReader("rows", ("id", order or "at"), order)(body)
    check(found)
    return found


def rows(count: int) -> list[Row]:
    return [{"id": number, "at": number, "v": 0} for number in range(count, 0, -1)]


def run(account: Account, largest: int, concurrency: int) -> Evidence:
    endpoint = Endpoint("/rows", "rows", largest, ("id", "at"))
    return asyncio.run(scan(endpoint, account.fetch, concurrency))


def run_with(
    account: Account, change: Callable[[Query, Any], Any], largest: int = 50, order: str | None = None
) -> Evidence:
    """A scan whose every reply is changed on its way."""

    async def fetch(query: Query, check: Check, *, fresh: bool) -> Seen:  # noqa: ARG001 - no spool
        body = json.dumps(change(query, json.loads(account.serve(query)))).encode()
        return seen(body, check, order)

    return asyncio.run(
        scan(
            Endpoint("/rows", "rows", largest, ("id", "at") if order is None else ("id", order), order=order),
            fetch,
            4,
        )
    )
