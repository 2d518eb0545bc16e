"""The floor of a push: encoding the rows of a file and posting them in chunks of 1,000, and nothing else.

`python benchmarks/push_floor.py BASE_URL FILE ENCODER` prints the seconds that it took, reading the file left out.
ENCODER is json, as httpx itself calls it for a body that it is given as an object, or msgspec, the fastest there is.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pyarrow.parquet as pq

ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "json": lambda body: json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    "msgspec": msgspec.json.encode,
}


async def main(base_url: str, file: str, encoder: str) -> None:
    """Four requests at once, as the product's default."""
    rows = pq.read_table(file).to_pylist()
    encode = ENCODERS[encoder]
    posted = 0
    chunks = iter(range(0, len(rows), 1000))

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal posted
        for start in chunks:
            body = encode({"records": rows[start : start + 1000]})
            headers = {"Content-Type": "application/json"}
            reply = await client.post(f"{base_url}/history/sends", content=body, headers=headers)
            posted += msgspec.json.decode(reply.content)["success_count"]

    started = time.perf_counter()
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(work(client) for _ in range(4)))
    if posted != len(rows):
        raise SystemExit(f"posted {posted} rows of {len(rows)}")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
