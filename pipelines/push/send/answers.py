"""The outcome that an answer of the API gives each row of the call.

The answer has counters, and names at most 100 of the records that failed; the counters need not add up
(/api-reference/v2/history/import-sends). An answer is complete if the records that it does not name are covered by
its counts of accepted and skipped records. For revenue it also gives the sum that it accepted: if that is not the sum
of the records that it does not name, it has named the wrong records. What does not belong here: sending, the ledger,
and how often a pending row is tried again (`calls.retries`).
"""

from collections.abc import Collection, Sequence

from pipelines.push.ledger.db.call_states import REVENUE
from pipelines.push.ledger.statements import Answered
from pipelines.push.outcomes import NOT_NAMED, Outcome, Verdict
from pipelines.push.send.calls.retries import TRANSIENT
from pipelines.trackly.client import Reply
from pipelines.trackly.imports import MAX_NAMED_ERRORS, ImportAnswer
from schemas.values.money import CENT, units

_NOT_SAID_OF_WHICH = "the call failed in part, and the answer does not tell for which rows"
_NOT_SAID_OF_IT = "the answer does not say whether it was taken in"

_ROUNDING = CENT // 2  # how far off an account that counts in cents may be, for each row


def attribute(
    dataset: str,
    answer: ImportAnswer,
    identities: Sequence[str],
    amounts: Sequence[int | None] = (),
    *,
    fresh: bool,
) -> dict[str, Verdict]:
    """Return the rows that an answer does not simply accept, each with its verdict.

    The API does not name rows that it skips as duplicates. If the call had only new rows, the account must have had
    the skipped ones before us: as many unnamed rows are called duplicates. Their number is exact, but unless all rows
    were skipped, the answer does not say which they are. If rows may have arrived by an earlier call of ours, a
    skipped row is in the account: accepted.

    Args:
        dataset: sends, clicks or revenue.
        answer: the answer.
        identities: the rows of the call, in its order.
        amounts: for revenue, the amount of each row, in ten-thousandths of the account's currency.
        fresh: whether no row of the call can have reached the account by an earlier call of ours.
    """
    own = _named(dataset, answer, identities)
    unnamed = [identity for identity in identities if identity not in own]
    if own and amounts and _contradicts(answer, identities, amounts, own):
        return dict.fromkeys(identities, Verdict(Outcome.IN_DOUBT, NOT_NAMED, _NOT_SAID_OF_WHICH))
    if not _is_complete(answer, len(own), len(unnamed)):
        verdict = _incomplete(dataset, answer, len(identities))
        return own | dict.fromkeys(unnamed, verdict) if verdict else own
    return own | _skipped(answer, unnamed) if fresh and dataset != REVENUE else own


def _is_complete(answer: ImportAnswer, named: int, unnamed: int) -> bool:
    """Return whether the records that an answer does not name are covered by its counts."""
    return _failed(answer, named, named + unnamed) <= named and _there(answer) >= unnamed


def _there(answer: ImportAnswer) -> int:
    """Return how many records of a call are in the account after it."""
    return (answer.success_count or 0) + answer.duplicates_skipped


def _sum_of_others(identities: Sequence[str], amounts: Sequence[int | None], own: Collection[str]) -> int:
    """Return the sum of the amounts of rows that an answer does not name."""
    return sum(amount or 0 for who, amount in zip(identities, amounts, strict=True) if who not in own)


def _skipped(answer: ImportAnswer, unnamed: Sequence[str]) -> dict[str, Verdict]:
    """Return a duplicate verdict for as many unnamed rows as the account had before this call of new rows."""
    skipped = min(answer.duplicates_skipped, len(unnamed))
    if not skipped:
        return {}
    text = (
        "the account already had it"
        if skipped == len(unnamed)
        else "the account already had some of the good rows of this call, and its answer does not name them"
    )
    return dict.fromkeys(unnamed[-skipped:], Verdict(Outcome.DUPLICATE, "already_there", text))


def _named(dataset: str, answer: ImportAnswer, identities: Sequence[str]) -> dict[str, Verdict]:
    """Return the verdicts of rows that `errors` names: by id if a row of the call has it, else by index.

    An index beyond the call shows that the answer does not count from 0 as documented; then no index is used. In a
    call of one row every error is about that row.
    """
    rows = len(identities)
    known = frozenset(identities) if dataset == "sends" else frozenset[str]()
    by_index = _counts_from_0(answer, rows)
    own: dict[str, Verdict] = {}
    for error in answer.errors:
        if error.id is not None and error.id in known:
            identity = error.id
        elif rows == 1:
            identity = identities[0]
        elif by_index and error.index is not None:
            identity = identities[error.index]
        else:
            continue
        outcome = Outcome.PENDING if error.code in TRANSIENT else Outcome.REJECTED
        own[identity] = Verdict(outcome, error.code or "no_code", error.error)
    return own


def _counts_from_0(answer: ImportAnswer, rows: int) -> bool:
    return all(error.index is None or 0 <= error.index < rows for error in answer.errors)


def _failed(answer: ImportAnswer, named: int, rows: int) -> int:
    """Return how many records failed. The documentation does not say whether error_count includes duplicates.

    It counts as including them if success_count and error_count make all records, fewer errors are named than the API
    can name, and error_count equals the named errors and the duplicates.
    """
    skipped = answer.duplicates_skipped
    whole = (answer.success_count or 0) + answer.error_count == rows
    if whole and len(answer.errors) < MAX_NAMED_ERRORS and answer.error_count == named + skipped:
        return named
    return answer.error_count


def _contradicts(
    answer: ImportAnswer, identities: Sequence[str], amounts: Sequence[int | None], own: Collection[str]
) -> bool:
    """Return whether an answer's sum, or else its count, does not match the rows that it seems to accept."""
    if answer.total_revenue is None or len(identities) == 1:  # for one row a sum of zero proves nothing
        return (answer.success_count or 0) > len([who for who in identities if who not in own])
    taken = _sum_of_others(identities, amounts, own)
    return abs(units(answer.total_revenue) - taken) > _ROUNDING * len(identities)


def _incomplete(dataset: str, answer: ImportAnswer, rows: int) -> Verdict | None:
    """Return the verdict on rows that an incomplete answer leaves open; None if they are accepted."""
    if rows == 1 and _there(answer):  # the counters of a call of one row are about that row
        return None
    if rows == 1 and (answer.error_count or answer.invalid_phones):
        code = "invalid_phone" if answer.invalid_phones else NOT_NAMED
        return Verdict(Outcome.REJECTED, code, "refused without a reason")
    repeatable = dataset != REVENUE or _stored_nothing(answer, rows)
    outcome = Outcome.PENDING if repeatable else Outcome.IN_DOUBT
    return Verdict(outcome, NOT_NAMED, _NOT_SAID_OF_IT if rows == 1 else _NOT_SAID_OF_WHICH)


def _stored_nothing(answer: ImportAnswer, rows: int) -> bool:
    return answer.success_count == 0 and answer.error_count >= rows and not answer.total_revenue


def figures_of(reply: Reply[ImportAnswer]) -> Answered:
    """Return the figures of an answered call in the form of the ledger."""
    answer = reply.value
    revenue = answer.total_revenue
    return Answered(
        sent_at=reply.sent_at.isoformat(),
        answered_at=reply.received_at.isoformat(),
        attempts=reply.attempts,
        http_status=reply.status,
        success_count=answer.success_count or 0,
        error_count=answer.error_count,
        duplicates_skipped=answer.duplicates_skipped,
        invalid_phones=answer.invalid_phones,
        total_revenue=None if revenue is None else units(revenue),
    )


def for_logs(dataset: str, number: int, answered: Answered) -> dict[str, object]:
    """Return the fields of a log line about an answered call.

    Args:
        dataset: sends, clicks or revenue.
        number: the number of the call.
        answered: the figures of the call.
    """
    counts = ("attempts", "http_status", "success_count", "error_count", "duplicates_skipped")
    return {
        "event": "chunk",
        "dataset": dataset,
        "chunk": number,
        **{name: getattr(answered, name) for name in counts},
    }
