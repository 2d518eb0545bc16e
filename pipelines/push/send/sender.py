"""Sends chunks of one dataset through the ledger to the API, several at the same time.

    intent in the ledger ─▶ request ─▶ answer (or what is known instead) in the ledger

A separate thread encodes the rows, mostly in DuckDB. The event loop's own thread writes the ledger, because a second
thread would compete for the interpreter's lock with every row. What does not belong here: retries of requests (the
client), what an answer means for a row (`answers`), which rows are sent (`checks.compare`), how large calls may be
(`calls.sizes`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pipelines.errors import (
    CutOffError,
    DataError,
    OutcomeUnknown,
    ServiceError,
    TooLargeError,
    TracklySyncError,
)
from pipelines.privacy import KEEP_ALL, Privacy
from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.pending import Retry
from pipelines.push.ledger.statements import Answered, LedgerRows
from pipelines.push.outcomes import Outcome, Verdict
from pipelines.push.send.answers import attribute, figures_of, for_logs
from pipelines.push.send.calls.chunks import Batch, Chunk, chunks
from pipelines.push.send.calls.losses import Losses
from pipelines.push.send.calls.retries import TRANSIENT, most_tries, next_limit
from pipelines.push.send.calls.sizes import TOO_LARGE, Sizes, cut_note, too_large_note
from pipelines.push.send.calls.turns import Turns
from pipelines.push.send.queries import Queue, Waves, ahead
from pipelines.push.stage.database import Progress
from pipelines.text.humanize import plural, sentence
from pipelines.trackly.client import Reply, TracklyClient
from pipelines.trackly.imports import MAX_RECORDS, ImportAnswer, post_clicks, post_revenue, post_sends
from schemas.values.shares import is_beyond

_PATIENT = 1
"""Most rows of a call that is retried as often as any request, because it cannot be made smaller."""

OnIntent = Callable[[int, LedgerRows], Awaitable[None]]
"""Called with a call's number and rows after its intent is recorded and before the request leaves."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sending:
    """The sending of one dataset.

    Attributes:
        client: the account.
        ledger: the ledger; no other process writes this dataset's rows meanwhile.
        dataset: its name.
        total: rows to be sent, for progress.
        on_progress: called after every answer, with the rows that have an outcome; a row that is sent again has none.
        canary_share: the share of the first small call that may be refused.
        reading: for revenue, the number of the reading whose totals the stage holds.
        seen: for sends and clicks, the ledger's `last_chunk` before the stage was compared with it.
        lost: calls of revenue so far that left rows in doubt.
        privacy: what is kept of phone numbers in the texts of answers.
        sizes: how large calls may be; passed on from one round of revenue to the next.
        on_intent: for revenue: called with a call's number and rows after its intent is recorded, before the request.
    """

    client: TracklyClient
    ledger: Ledger
    dataset: str
    total: int = 0
    on_progress: Progress | None = None
    canary_share: float = 1.0
    reading: int | None = None
    lost: int = 0
    privacy: Privacy = KEEP_ALL
    seen: int = 0
    sizes: Sizes = field(default_factory=Sizes)
    on_intent: OnIntent | None = None
    _turns: Turns = field(init=False)
    _done: int = 0
    _losses: Losses = field(default_factory=Losses)
    _stop: bool = False
    _refused: Counter[str] = field(default_factory=Counter)
    _failures: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._turns = Turns(self.sizes)

    async def run(self, queue: Queue, workers: int) -> None:
        """Send the queue's new rows, then pending rows again, until none is pending or a row of revenue is in doubt.

        Args:
            queue: the dataset's rows.
            workers: chunks under way at the same time.

        Raises:
            DataError: too much of the first small call was refused; no more rows were sent.
            TracklySyncError: the push had to stop; rows that were not sent are pending. The calls that were under way
                were waited for.
        """
        if self.total > MAX_RECORDS and not self.sizes.begun:
            await self._send_canary(queue)
        await self._send_waves(queue.new(), workers, again=False)
        pause = 0.0
        while self._goes_on and (pending := queue.retries(self.ledger)):
            if self._reject_spent(pending):
                continue
            if any(row.code in TRANSIENT for row in pending):
                await asyncio.sleep(pause)
                pause = min(max(pause * 2, 0.25), 4)
            limits = [(row.identity, next_limit(row.code, row.rows)) for row in pending]
            if not await self._send_waves(queue.again(limits), workers, again=True):
                return  # the pending rows are not in the stage: only another intake brings them back

    @property
    def _goes_on(self) -> bool:
        return not self._stop and not self.lost

    def _reject_spent(self, pending: Sequence[Retry]) -> bool:
        """Reject rows that were tried often enough; return whether there were any."""
        spent = [row.identity for row in pending if row.tries >= most_tries(row.code)]
        if spent:
            self.ledger.reject(self.dataset, spent)
            self._done += len(spent)
        return bool(spent)

    async def _send_waves(self, waves: Waves, workers: int, *, again: bool) -> int:
        """Send one wave after the other; stop after a wave that leaves revenue in doubt, which must be settled first.

        Returns:
            The number of chunks.
        """
        sent = 0
        for wave in waves:
            if self.lost:
                break
            sent += await self._send(wave, workers, again=again)
        return sent

    async def _send_canary(self, queue: Queue) -> None:
        """Send a few rows from all over the input first: they show a mistake that all rows share.

        Raises:
            DataError: more of them were refused than `canary_share` allows.
        """
        rows = list(queue.canary())
        await self._send(rows, 1, again=False)
        sent, refused = sum(len(batch.limits) for batch in rows), self._refused.total()
        if is_beyond(refused, sent, self.canary_share):
            reasons = "; ".join(f"{reason} ({count})" for reason, count in self._refused.most_common(3))
            raise DataError(
                f"{self.dataset}: of the first {plural(sent, 'row')}, taken from all over the input, "
                f"{plural(refused, 'was', 'were')} refused; the rest was not sent. Reasons: {reasons}.",
                "Correct the input or the account, then push again; --retry-rejected tries the refused rows again.",
            )

    async def _send(self, batches: Iterable[Batch], workers: int, *, again: bool) -> int:
        """Send chunks in any order, several at the same time. On failure or cancellation, wait for those under way.

        Returns:
            The number of chunks.
        """
        with ahead(batches) as coming:
            queue = chunks(coming, self.sizes)
            tasks = [asyncio.create_task(self._work(queue, again=again)) for _ in range(workers)]
            try:
                await asyncio.shield(asyncio.wait(tasks))
            except asyncio.CancelledError:
                self._stop = True
                await self._end(tasks)
                raise
        sent = sum(task.result() for task in tasks)
        if self._failures:
            raise self._failures[0]
        return sent

    async def _end(self, tasks: Collection[asyncio.Task[int]]) -> None:
        """Wait for the answers of the calls under way, at most as long as the client's time-out."""
        longest, calls = self.client.timeout_seconds, self._turns.under_way
        if calls:
            _log.warning(
                "%s: stopping. Waiting for the answers of calls under way (%d), for at most %g s. Nothing is lost: "
                "the next push settles calls that have no answer by then. Ctrl-C again stops immediately.",
                self.dataset,
                calls,
                longest,
            )
        await asyncio.wait(tasks, timeout=longest)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _work(self, queue: Iterator[Chunk], *, again: bool) -> int:
        sent = 0
        while True:
            async with self._turns.one():
                if self._stop or (chunk := next(queue, None)) is None:
                    return sent
                sent += 1
                try:
                    await self._one(chunk, again=again)
                except BaseException as failure:
                    self._stop = True
                    if not isinstance(failure, TracklySyncError):
                        raise
                    self._failures.append(failure)
            if self.on_progress:
                self.on_progress(self.dataset, min(self._done, self.total), self.total)

    async def _one(self, chunk: Chunk, *, again: bool) -> None:
        number = self.ledger.intend(
            self.dataset, chunk.rows, chunk.size, again=again, reading=self.reading, seen=self.seen
        )
        try:
            reply = await self._post(chunk, number)
        except asyncio.CancelledError:
            self.ledger.lose(self.dataset, number, "the push was stopped before the answer")
            raise
        except OutcomeUnknown as error:
            self.ledger.lose(self.dataset, number, error.message, error.sent_at)
            self._note_lost(chunk, number, error)
        except CutOffError as error:
            self.ledger.lose(self.dataset, number, error.message)
            self._note_cut(chunk, error)
        except ServiceError as error:
            # Revenue that may have been stored is OutcomeUnknown; sends and clicks may simply be repeated.
            verb = self.ledger.refuse if self.dataset == REVENUE else self.ledger.lose
            verb(self.dataset, number, error.message)
            raise
        except TooLargeError as error:
            self._note_too_large(chunk, number, error)
        except TracklySyncError as error:
            self.ledger.refuse(self.dataset, number, error.message)
            raise
        else:
            self._note_answer(chunk, number, reply, again=again)

    async def _post(self, chunk: Chunk, number: int) -> Reply[ImportAnswer]:
        if self.dataset == REVENUE:
            if self.on_intent:
                await self.on_intent(number, chunk.rows)
            return await post_revenue(
                self.client, chunk.body(), lambda at: self.ledger.note_sent(self.dataset, number, at)
            )
        post = {"sends": post_sends, "clicks": post_clicks}[self.dataset]
        most_cuts = None if chunk.count <= _PATIENT else 1 if self.sizes.cuts_in_a_row else 2
        return await post(self.client, chunk.body(), most_cuts)

    def _note_answer(self, chunk: Chunk, number: int, reply: Reply[ImportAnswer], *, again: bool) -> None:
        self._losses.answered()
        self.sizes.answered(chunk.count, chunk.size, (reply.received_at - reply.sent_at).total_seconds())
        rows, fresh = chunk.rows, not again and reply.attempts == 1
        own = attribute(self.dataset, reply.value, rows.identity, rows.amount, fresh=fresh)
        if self.privacy.key:  # the API's text may contain a phone number
            own = {
                who: replace(verdict, message=self.privacy.text(verdict.message))
                for who, verdict in own.items()
            }
        self._refused.update(
            f"{verdict.message or 'no reason given'} ({verdict.code})"
            for verdict in own.values()
            if verdict.outcome is Outcome.REJECTED
        )
        open_rows = sum(verdict.outcome in (Outcome.PENDING, Outcome.IN_DOUBT) for verdict in own.values())
        self._done += chunk.count - open_rows
        self.lost += any(verdict.outcome is Outcome.IN_DOUBT for verdict in own.values())
        answered = figures_of(reply)
        self.ledger.answer(
            self.dataset, number, answered, own, _only_now(self.dataset, chunk, answered, again)
        )
        _log.debug(
            "%s: call %d of %s is answered",
            self.dataset,
            number,
            plural(chunk.count, "row"),
            extra=for_logs(self.dataset, number, answered),
        )

    def _note_lost(self, chunk: Chunk, number: int, error: OutcomeUnknown) -> None:
        """Note that a call of revenue had no usable answer: the next calls are small.

        Raises:
            OutcomeUnknown: so many calls in a row had no usable answer that sending stops for now.
        """
        known = chunk.count > self.sizes.rows  # it was under way together with a call that was lost before
        self.lost += 1
        if error.status == TOO_LARGE:
            self.sizes.too_large(chunk.count, chunk.size)
        self.sizes.lost(chunk.count, error.seconds)
        figures = {"event": "in_doubt", "dataset": self.dataset, "chunk": number}
        rows = plural(chunk.count, "row is", "rows are")
        _log.warning("%s: %s in doubt: %s", self.dataset, rows, error.message, extra=figures)
        self._tell_once(too_large_note() if error.status == TOO_LARGE else None)
        self._tell_once(self._cut_note())
        if known:
            return
        self._losses.lost(error.seconds)
        if self._losses.are_too_many:
            calls = plural(self._losses.calls, "call")
            raise OutcomeUnknown(
                f"{calls} in a row had no usable answer; no more {self.dataset} was sent."
                + (f" {sentence(note)}" if (note := self._cut_note()) else ""),
                "Check that the service answers, then push again: nothing is sent twice.",
            ) from error

    def _note_cut(self, chunk: Chunk, error: CutOffError) -> None:
        """Note that a call that may be repeated was cut off: its rows go again in smaller calls."""
        self.sizes.cut(chunk.count, error.seconds)
        _log.info(
            "%s: a call of %s was cut off (%s); the next ones have %d at most",
            self.dataset,
            plural(chunk.count, "row"),
            error.message,
            self.sizes.rows,
        )
        self._tell_once(self._cut_note())

    def _note_too_large(self, chunk: Chunk, number: int, error: TooLargeError) -> None:
        """Note that a call was refused for its size, with nothing stored: its rows go again in smaller calls."""
        self.sizes.too_large(chunk.count, chunk.size)
        if chunk.count > 1:
            self.ledger.refuse(self.dataset, number, error.message)
            self._tell_once(too_large_note())
            return
        text = "alone it is too large for the account, or for a proxy on the way"
        self._refused[f"{text} (too_large)"] += 1
        at = datetime.now(UTC).isoformat()
        answered = Answered(
            sent_at=at,
            answered_at=at,
            attempts=1,
            http_status=TOO_LARGE,
            success_count=0,
            error_count=1,
            duplicates_skipped=0,
            invalid_phones=0,
            total_revenue=None,
        )
        verdict = Verdict(Outcome.REJECTED, "too_large", text)
        self.ledger.answer(self.dataset, number, answered, {chunk.rows.identity[0]: verdict})
        self._done += 1

    def _cut_note(self) -> str | None:
        after = self.sizes.cut_after
        return None if after is None else cut_note(after, self.client.timeout_seconds)

    def _tell_once(self, note: str | None) -> None:
        """Log a warning once for each dataset of a run."""
        kind = note and note.split(" after ")[0]
        if note and kind not in self.sizes.noted:
            self.sizes.noted.add(str(kind))
            _log.warning("%s: %s", self.dataset, note)


def _only_now(dataset: str, chunk: Chunk, answered: Answered, again: bool) -> LedgerRows | None:
    """Return the rows of a repeated call if the answer shows that no earlier call had brought one; else None."""
    return chunk.rows if again and dataset != REVENUE and not answered.duplicates_skipped else None
