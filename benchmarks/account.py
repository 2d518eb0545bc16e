"""A server that serves pages of made-up contacts and takes any sends, as fast as it can: the benchmarks' account.

The sandbox is an account with state; this one computes a page from its number, so that what is timed is the
client. `python benchmarks/account.py ROWS [SHAPE [SECONDS]]` prints its base URL and serves until it is killed.
SHAPE is clean (but for their phones 10,000 rows that come again), distinct (no two rows share their texts, times or
money), unknown (two fields more in every row) or bad (one row in a hundred breaks the contract); SECONDS is how long
each reply takes.
"""

import asyncio
import json
import re
import sys
from itertools import cycle, islice
from typing import Any

_TAILS = 10_000
_PHONE = b'{"phone_number": "+1%010d", '
_TIMES = ("signup_date", "last_sent_at", "last_clicked_at")
_REQUEST = re.compile(rb"GET /api/v2/(\w+)\?([^ ]*) HTTP")
_SENDS = b"POST /api/v2/history/sends "
_ANSWER = (
    b'{"success_count": %d, "error_count": 0, "duplicates_skipped": 0, "invalid_phones": 0, "errors": []}'
)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def tail(number: int, shape: str) -> bytes:
    """A contact but for its phone number, about 470 bytes in all."""
    row: dict[str, Any] = {
        "list_number": f"+1555000{number % 4:04}",
        "list_id": number % 4 + 1,
        "active": number % 10 > 0,
        "signup_date": f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:30:{number % 60:02}",
        "signup_method": "api",
        "custom_fields": {
            "first_name": f"Name{number}",
            "zip": f"{number:05}",
            "tier": number % 3,
            "city": "Zürich",
        },
        "carrier": ("Verizon Wireless", "T-Mobile USA", "AT&T Mobility")[number % 3],
        "line_type": ("CELL PHONE", "VOIP")[number % 2],
        "timezone": "America/New_York",
        "is_valid": True,
        "send_count": number % 50,
        "click_count": number % 7,
        "revenue_total": round(number * 0.37, 2),
        "conversion_count": number % 3,
        "last_sent_at": None if number % 3 == 0 else "2025-11-15T14:30:01",
        "last_clicked_at": None if number % 5 else "2025-11-16T09:05:59",
        "in_workflow": False,
    }
    if shape == "unknown":
        row |= {"score": number, "segment": "x"}
    if shape == "bad" and number % 100 == 0:
        row["is_valid"] = "maybe"
    if shape == "distinct":
        row["custom_fields"] |= {"first_name": "Name%(number)d", "zip": "%(number)07d"}
        row |= {name: f"{row[name]}.%(micros)06d" for name in _TIMES if row[name]}
        row |= {"list_number": "+1555%(number)07d", "revenue_total": "%(money).2f"}
    text = json.dumps(row, ensure_ascii=False).encode()[1:]
    return text.replace(b'"%(money).2f"', b"%(money).2f")


def filled(tail: bytes, place: int) -> bytes:
    """A contact of the shape `distinct`, but for its phone number."""
    return tail % {b"number": place, b"micros": place % 1_000_000, b"money": place / 100}


def page(tails: list[bytes], total: int, number: int, per_page: int) -> bytes:
    """The body of one page."""
    start = min((number - 1) * per_page, total)
    stop = min(start + per_page, total)
    places = range(start, stop)
    rows = b",".join(
        _PHONE % (2_000_000_000 + place) + (filled(rest, place) if b"%" in rest else rest)
        for place, rest in zip(places, islice(cycle(tails), start % _TAILS, None), strict=False)
    )
    pages = -(-total // per_page)
    end = b'{"page": %d, "per_page": %d, "total": %d, "total_pages": %d}' % (number, per_page, total, pages)
    return b'{"contacts": [' + rows + b'], "pagination": ' + end + b"}"


async def serve(total: int, shape: str = "clean", seconds: float = 0) -> None:
    """Serve until cancelled."""
    tails = [tail(number, shape) for number in range(_TAILS)]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                match = _REQUEST.match(head)
                length = _LENGTH.search(head)
                sent = await reader.readexactly(int(length[1])) if length else b""
                if seconds:
                    await asyncio.sleep(seconds)
                status = b"404 Not Found"
                body = b'{"error": "not found"}'
                if match and match[1] == b"contacts":
                    query = dict(item.split(b"=") for item in match[2].split(b"&") if item)
                    status = b"200 OK"
                    body = page(
                        tails, total, int(query.get(b"page", 1)), min(int(query.get(b"per_page", 50)), 1000)
                    )
                elif head.startswith(_SENDS):
                    status, body = b"200 OK", _ANSWER % sent.count(b'"to_number"')
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    % (status, len(body))
                )
                writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=1 << 20)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/api/v2", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), *sys.argv[2:3], *map(float, sys.argv[3:])))
