"""The floor: fetching every page and decoding it into typed structs, and nothing else.

`python benchmarks/pull_floor.py BASE_URL ROWS` prints the seconds that it took.
"""

import asyncio
import sys
import time

import httpx
import msgspec

from schemas.contacts import Contact


class _Reply(msgspec.Struct):
    contacts: list[Contact]


async def main(base_url: str, rows: int) -> None:
    """Four requests at once, as the product's default."""
    decoder = msgspec.json.Decoder(_Reply)
    pages = iter(range(1, -(-rows // 1000) + 1))
    decoded = 0

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal decoded
        for page in pages:
            reply = await client.get(f"{base_url}/contacts", params={"page": page, "per_page": 1000})
            decoded += len(decoder.decode(reply.content).contacts)

    started = time.perf_counter()
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(work(client) for _ in range(4)))
    if decoded != rows:
        raise SystemExit(f"decoded {decoded} rows of {rows}")
    print(time.perf_counter() - started)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
