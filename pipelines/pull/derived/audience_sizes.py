"""The sizes of audiences, counted again by the account on request.

GET /audiences/{id}/size takes seconds and writes `cached_size` into the account
(/api-reference/v2/audiences/get-audience-size), so only `pull --measure` calls it. Calls are made one at a time, with
a pause between them, up to a limit in each run. What does not belong here: reading audiences.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from pipelines.alerts.after_run import watched
from pipelines.errors import NotFoundError
from pipelines.process import interrupts
from pipelines.runs.recording import details, recorded
from pipelines.settings import Settings
from pipelines.trackly.client import TracklyClient, Unreadable
from pipelines.warehouse.swap import reading

Counted = Callable[[int, int], None]
"""Called with the number of audiences counted so far, and the number to count."""

_LONGEST_UNCOUNTED_FIRST = """
SELECT id FROM main.audiences WHERE status IS DISTINCT FROM 'archived'
ORDER BY cached_size_updated_at NULLS FIRST, id
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a measurement.

    Attributes:
        counted: audiences that the account has counted.
        gone: audiences that the account does not have any more.
        left: audiences beyond `TRACKLY_MEASURE_MOST`, not counted.
    """

    counted: int
    gone: int
    left: int


@watched()
def measure_audiences(settings: Settings, run: str, on_count: Counted) -> Measured:
    """Have the account count its audiences that are not archived, least recently counted first.

    Args:
        settings: see `Settings`.
        run: the run's id.
        on_count: see `Counted`.

    Raises:
        AccessError, RequestError, ServiceError: the API refused or gave no usable answer; sizes counted before stay.
        StorageError: there is no warehouse, or it cannot be read.
    """
    with reading(settings.warehouse) as connection:
        ids = [str(one) for (one,) in connection.execute(_LONGEST_UNCOUNTED_FIRST).fetchall()]
    chosen = ids[: settings.measure_most]
    with recorded(settings.data_dir, run, "measure audiences") as record:
        gone = interrupts.run(_measure(settings, chosen, on_count))
        done = Measured(len(chosen) - gone, gone, len(ids) - len(chosen))
        record.rows = done.counted
        record.details = details(gone=done.gone, left=done.left)
    return done


async def _measure(settings: Settings, ids: Sequence[str], on_count: Counted) -> int:
    """Have the audiences counted one after the other; return how many are gone."""
    gone = 0
    async with TracklyClient(settings) as client:
        for place, one in enumerate(ids):
            if place:
                await asyncio.sleep(settings.measure_pause_seconds)
            try:
                await client.get(f"/audiences/{quote(one, safe='')}/size", {}, _is_answer)
            except NotFoundError:
                gone += 1
            on_count(place + 1, len(ids))
    return gone


def _is_answer(body: bytes) -> None:
    """Check that the reply is an answer; the size itself comes with the next pull.

    Raises:
        Unreadable: it is not a JSON object.
    """
    try:
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not a JSON object, or cut off") from None
