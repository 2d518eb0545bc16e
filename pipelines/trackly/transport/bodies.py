"""Reads bodies of replies with a limit that also applies during decompression.

A few megabytes of gzip can hold gigabytes. What does not belong here: the contents of a body (`replies.pages`,
`imports`).
"""

import zlib
from collections.abc import AsyncIterable

from pipelines.trackly.failures import Failure, Kind

ACCEPTED = "gzip, deflate"
"""The compressions that are requested, and the only ones that are accepted."""

_GZIP = 16 + zlib.MAX_WBITS


async def read_body(chunks: AsyncIterable[bytes], encoding: str, length: int | None, limit: int) -> bytes:
    """Read a body to its end.

    Args:
        chunks: the chunks as they arrive.
        encoding: the Content-Encoding header; "" for none.
        length: the length in the reply's head, if given.
        limit: most bytes of the body, compressed or not.

    Raises:
        Failure: TOO_LONG as soon as the limit is passed; UNREADABLE if the compression is damaged or unknown.
    """
    coding = encoding.strip().lower()
    if length is not None and length > limit:
        raise _too_long(limit)
    parts: list[bytes] = []
    if coding in ("", "identity"):
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise _too_long(limit)
            parts.append(chunk)
        return b"".join(parts)
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Failure(Kind.UNREADABLE, "the reply is compressed in a way that was not asked for")
    inflater = _Inflater(limit, gzip=coding != "deflate")
    try:
        async for chunk in chunks:
            inflater.take(chunk)
        return inflater.end()
    except zlib.error:
        raise Failure(Kind.UNREADABLE, "the reply's compression is damaged") from None


class _Inflater:
    """Decompresses in steps, and stops before the limit is passed."""

    def __init__(self, limit: int, *, gzip: bool) -> None:
        self._limit, self._left = limit, limit
        self._gzip = gzip
        self._stream = zlib.decompressobj(_GZIP) if gzip else None
        self._parts: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """Decompress the next bytes."""
        while chunk:
            if self._stream is None:
                # "deflate" should have zlib's header, but some servers omit it
                has_head = chunk[0] & 0x0F == zlib.DEFLATED
                self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS)
            content = self._stream.decompress(chunk, self._left + 1)
            self._left -= len(content)
            if self._left < 0:
                raise _too_long(self._limit)
            self._parts.append(content)
            chunk = self._stream.unconsumed_tail
            if self._stream.eof:
                chunk = self._stream.unused_data.lstrip(b"\0") if self._gzip else b""
                if chunk:  # several gzip streams in a row are one document
                    self._stream = zlib.decompressobj(_GZIP)

    def end(self) -> bytes:
        """Return the complete body.

        Raises:
            zlib.error: the body is not complete.
        """
        if self._parts and self._stream is not None and not self._stream.eof:
            raise zlib.error
        return b"".join(self._parts)


def _too_long(limit: int) -> Failure:
    return Failure(Kind.TOO_LONG, f"the reply is larger than {limit / 1_000_000:g} MB")
