"""What a reply may be: how large, how compressed, with which head, and of which version of the API."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from played_calls import ANSWER, PAGE, play, read

from pipelines.errors import OutcomeUnknown, ServiceError, SettingsError
from pipelines.trackly.imports import post_revenue, post_sends


def bomb(megabytes: int) -> bytes:
    """Zeros as gzip: one block of a megabyte, which refers to none before it, over and over."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return head + block * megabytes + packer.flush()


def test_a_bomb_is_what_it_is_taken_for() -> None:
    """All of its zeros come out."""
    found = zlib.decompressobj(wbits=31).decompress(bomb(3))
    assert found == bytes(3_000_000)


@pytest.mark.parametrize("call", [read, post_sends, post_revenue])
@pytest.mark.parametrize("kind", ["gzip", "deflate", "length", "endless"])
def test_a_reply_without_end_is_refused(wire: Any, call: Any, kind: str) -> None:
    """Beyond the limit a reply is given up at once and named, and not asked for again."""
    large = b'{"contacts": ["' + b"x" * 6_000_000 + b'"]}'

    async def endless(server: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
        try:
            while not server.gate.is_set():
                writer.write(b"1," * 50_000)
                await writer.drain()
        except ConnectionError:
            pass

    step = {
        "gzip": wire.reply(gzip.compress(large), Content_Encoding="gzip"),
        "deflate": wire.reply(zlib.compress(large), Content_Encoding="deflate"),
        "length": wire.cut(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"),
        "endless": endless,
    }[kind]
    error, server = play(wire, call, step, max_reply_mb=5)
    assert type(error) is (OutcomeUnknown if call is post_revenue else ServiceError)
    assert "larger than 5 MB" in error.message
    assert len(server.heads) == 1


def test_a_bomb_takes_no_more_memory_than_the_limit(wire: Any) -> None:
    """A gzip of 4 MB that holds 4 GB is refused by a process that may have one gigabyte of addresses."""
    script = (
        "import asyncio, resource\n"
        "from pipelines.settings import load_settings\n"
        "from pipelines.trackly.client import TracklyClient\n"
        "from pipelines.trackly.replies.pages import get_page\n"
        "async def run():\n"
        "    async with TracklyClient(load_settings()) as client:\n"
        "        await get_page(client, '/lists', 'lists')\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "try:\n    asyncio.run(run())\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
        # its own peak: ru_maxrss begins with that of the process that started it
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
    )
    packed = bomb(4_000)

    async def run() -> str:
        async with wire.serve(wire.reply(packed, Content_Encoding="gzip")) as server:
            environment = {
                **os.environ,
                "TRACKLY_API_KEY": wire.KEY,
                "TRACKLY_BASE_URL": f"http://127.0.0.1:{server.port}/api/v2",
                "PYTHONPATH": os.pathsep.join(sys.path),
            }
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, env=environment, stdout=subprocess.PIPE
            )
            printed, _ = await asyncio.wait_for(child.communicate(), 120)
            assert len(server.heads) == 1
            return printed.decode()

    printed = asyncio.run(run())
    assert "ServiceError" in printed
    assert "larger than 64 MB" in printed
    assert "raise TRACKLY_MAX_REPLY_MB" in printed
    assert int(printed.split()[-1]) < 400_000  # KiB


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("gzip", lambda body: gzip.compress(body[:20]) + gzip.compress(body[20:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
        ("identity", bytes),
    ],
)
def test_compressions_are_read(wire: Any, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """All forms of what was asked for are read: several members, deflate with and without its head."""
    body = json.dumps(PAGE).encode()
    reply, _ = play(wire, read, wire.reply(pack(body), Content_Encoding=encoding))
    assert reply.size == len(body)


def test_no_body_at_all_is_no_damaged_compression(wire: Any) -> None:
    """It is the empty reply that it would be without compression, cut off in its head or not."""
    for body, words in ((b"", "the body is empty"), (gzip.compress(b"[]")[:6], "compression is damaged")):
        error, _ = play(wire, read, wire.reply(body, Content_Encoding="gzip"), retry_seconds=0)
        assert words in error.message


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip, gzip", b"x"), ("gzip", gzip.compress(b"{}" * 99, mtime=0)[:-9])],
)
def test_other_compressions_are_no_answer(wire: Any, encoding: str, body: bytes) -> None:
    """What was not asked for, and what is cut off, is named and puts revenue in doubt."""
    step = wire.reply(body, Content_Encoding=encoding)
    error, _ = play(wire, post_revenue, step)
    assert type(error) is OutcomeUnknown
    assert "compress" in error.message


def test_large_heads_are_accepted(wire: Any) -> None:
    """A header of 16 KiB and hundreds of headers are read."""
    many = {f"X-{number}": "a" for number in range(500)}
    reply, _ = play(wire, read, wire.reply(PAGE, X_Long="a" * 16_384, **many))
    assert reply.value.total == 1


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "Duplicate Content-Length"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n{}", "too long"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 5_000 + b"\r\n{}", "Too many headers"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "does not begin with a status"),
    ],
)
def test_a_head_that_is_no_http_is_named(wire: Any, head: bytes, words: str) -> None:
    """The reason says what is wrong with the reply's head, and quotes none of it."""
    error, _ = play(wire, read, wire.cut(head), retry_seconds=0)
    assert type(error) is ServiceError
    assert words in error.message
    assert "aaaa" not in error.message
    assert "OpenSSH" not in error.message


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "can't be present with",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: s3cret\0s3cret\r\n\r\n{}", "header"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ns3cret\r\n\r\n{}", "Invalid header"),
    ],
)
def test_a_malformed_head_is_asked_for_three_times_only(wire: Any, head: bytes, words: str) -> None:
    """What sends such heads goes on doing so; revenue behind one is in doubt at once."""
    error, server = play(wire, read, wire.cut(head), timeout_seconds=5)
    assert type(error) is ServiceError
    assert words in error.message
    assert "s3cret" not in error.message
    assert "gateways" in error.remedy
    assert len(server.heads) == 3
    error, server = play(wire, post_revenue, wire.cut(head), timeout_seconds=5)
    assert type(error) is OutcomeUnknown
    assert len(server.heads) == 1


@pytest.mark.usefixtures("naps")
def test_a_reply_in_chunks_that_is_cut_off_is_not_malformed(wire: Any) -> None:
    """A connection that ends early is tried as often as ever: aiohttp calls that a malformed message too."""
    cut = wire.cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
    reply, server = play(wire, read, cut, cut, cut, cut, wire.reply(PAGE), timeout_seconds=5)
    assert reply.attempts == 5
    assert len(server.heads) == 5


@pytest.mark.parametrize(
    ("call", "body"), [(read, PAGE), (read, {"error": "Not found"}), (post_sends, ANSWER)]
)
@pytest.mark.parametrize("marks", [{"X_API_Deprecated": "v1 is deprecated"}, {"Deprecation": "true"}])
def test_replies_of_v1_are_an_error_that_names_v2(
    wire: Any, call: Any, body: dict[str, Any], marks: dict[str, str]
) -> None:
    """Whatever such a reply says is not counted, and not asked for again."""
    error, server = play(wire, call, wire.reply(body, **marks))
    assert isinstance(error, SettingsError)
    assert "/api/v2" in error.remedy
    assert "/api-reference/v2/migration-guide" in error.remedy
    assert len(server.heads) == 1


def test_revenue_that_v1_seems_to_have_taken_is_in_doubt(wire: Any) -> None:
    """Only a mark in the head says so, and a gateway may have set it: it is not sent again by itself."""
    error, _ = play(wire, post_revenue, wire.reply(ANSWER, Deprecation="true"))
    assert isinstance(error, OutcomeUnknown)
    assert "deprecated" in error.message


def test_a_reply_that_is_marked_not_deprecated_is_taken(wire: Any) -> None:
    """The header alone means nothing where it says no."""
    reply, _ = play(wire, read, wire.reply(PAGE, Deprecation="false"))
    assert reply.status == 200
