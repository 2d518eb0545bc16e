"""The figures of one push in its record: rows sent, accepted, left out and pending, and the outcomes of its input.

What does not belong here: the counts of the input alone (`ledger.status`), and showing figures.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipelines.errors import StorageError
from pipelines.push.checks.compared import Compared
from pipelines.push.ledger.killed_pushes import LATER
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.run_counts import by_outcome, sent_after, settled_since
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.runs.activity_state import note_progress
from pipelines.runs.recording import details
from pipelines.trackly.client import TracklyClient
from schemas.own_tables.sync import RunRecord
from schemas.values.outcomes import LEFT_OUT


@contextmanager
def figures_recorded(
    data_dir: Path,
    record: RunRecord,
    client: TracklyClient,
    ledger: Ledger,
    compared: Compared,
) -> Iterator[None]:
    """Fill in the record of a push, even if it fails, is stopped or is killed: the record shows how far it came.

    Args:
        data_dir: the data directory.
        record: the record of the push of one dataset, which began before anything was sent.
        client: the client that sends.
        ledger: the ledger, before anything is sent.
        compared: the stage of the push's period, compared with the ledger.
    """
    began = _Began(client.requests, client.retries, ledger.last_chunk(compared.dataset), compared.new_later())
    record.left_out = compared.held_back()
    note_progress(data_dir, record, **{LATER: compared.later(ledger)})

    try:
        yield
    except BaseException:
        with suppress(StorageError, duckdb.Error):  # the push's own error says more
            _fill_in(record, client, ledger, compared, began)
        raise
    _fill_in(record, client, ledger, compared, began)


class _Began(NamedTuple):
    """The counts when a push began: requests, retries, the number of the last call, new rows of other periods."""

    requests: int
    retries: int
    chunk: int
    later: int


def _fill_in(
    record: RunRecord, client: TracklyClient, ledger: Ledger, compared: Compared, began: _Began
) -> None:
    """Fill in what was done since a push began; the arguments are those of `figures_recorded`."""
    name = compared.dataset
    with ledger.begin() as transaction:
        sent = sent_after(transaction, name, ledger.part, began.chunk)
        settled = settled_since(transaction, name, ledger.part, began.chunk, record.started_at)
    of_period = len(compared.own(settled))
    counts = ledger.outcomes().get(name, Outcomes())
    retries = client.retries - began.retries
    record.rows = record.sent = sum(sent.values())
    record.accepted = sent.get(Outcome.ACCEPTED, 0) + of_period
    record.left_out = compared.held_back() + sum(sent.get(outcome, 0) for outcome in LEFT_OUT)
    record.pending = counts.pending - began.later - compared.retries_later(ledger)
    record.details = details(
        requests=client.requests - began.requests - retries,
        retries=retries,
        **by_outcome(sent),
        differs=compared.differing() + compared.answered(ledger),
        settled=of_period,
        settled_other_months=len(settled) - of_period,
        input=asdict(counts),
    )
