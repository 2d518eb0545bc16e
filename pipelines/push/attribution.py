"""What an answer of the API says about each row of the call.

The answer counts, and names at most 100 of the records that failed; its counters need not add up
(/api-reference/v2/history/import-sends). So it is complete, as to rows, where the records it does not name are
covered by what it counts as taken in or skipped. What does not belong here: sending, and the ledger.
"""

import math
from collections.abc import Sequence

from pipelines.push.ledger_tables import REVENUE
from pipelines.push.verdicts import NO_ANSWER, NOT_NAMED, NOT_SENT, Outcome, Verdict
from pipelines.trackly.imports import MAX_NAMED_ERRORS, MAX_RECORDS, ImportAnswer

TRANSIENT = frozenset({"save_error", "message_not_found"})
"""Codes that may pass: a failure on the server's side, and a message that is not to be seen yet.

Clicks and revenue are sent only once their send is accepted, so a message that is not found should be soon.
"""

_UNTOLD = "the call failed in part, and the answer does not tell for which rows"


def attribute(
    dataset: str, answer: ImportAnswer, identities: Sequence[str], *, fresh: bool
) -> dict[str, Verdict]:
    """The rows that an answer does not simply accept, each with its verdict.

    Rows that the API skips as duplicates are not named either. Where the call held nothing but new rows, so that
    the account must have had them before us, as many of its unnamed rows are called duplicates: the count is
    exact, and which rows they are is not told by the API, unless it is all of them. Where rows may have arrived
    by an earlier attempt of ours, a skipped row is one that is there now: accepted.

    Args:
        dataset: sends, clicks or revenue.
        answer: the answer.
        identities: the rows of the call, in its order.
        fresh: whether no row of the call can have reached the account by an earlier attempt of ours.
    """
    own = _named(dataset, answer, identities)
    unnamed = [identity for identity in identities if identity not in own]
    there = answer.success_count + answer.duplicates_skipped
    if answer.error_count > len(own) or there < len(unnamed):
        verdict = _incomplete(dataset, answer, len(identities), there)
        return own | dict.fromkeys(unnamed, verdict) if verdict else own
    skipped = min(answer.duplicates_skipped, len(unnamed)) if fresh else 0
    if skipped and dataset != REVENUE:
        words = (
            "the account already had it"
            if skipped == len(unnamed)
            else f"the account already had {skipped} of the {len(unnamed)} good rows of this call, untold which"
        )
        own |= dict.fromkeys(unnamed[-skipped:], Verdict(Outcome.DUPLICATE, "already_there", words))
    return own


def next_limit(code: str, rows: int) -> int:
    """The most rows of the next chunk that a pending row may be in, so that its errors are named.

    Args:
        code: why it is pending.
        rows: how many rows its last chunk had.
    """
    if code == NOT_NAMED:
        return next((limit for limit in (MAX_NAMED_ERRORS, 10) if rows > limit), 1)
    return MAX_RECORDS if code in (NO_ANSWER, NOT_SENT) else MAX_NAMED_ERRORS


def most_tries(code: str) -> float:
    """After how many calls a row that is still pending with this code is rejected with the words it has."""
    return 4 if code in TRANSIENT else 8 if code == NOT_NAMED else math.inf


def _named(dataset: str, answer: ImportAnswer, identities: Sequence[str]) -> dict[str, Verdict]:
    """The rows that `errors` names: by id where that is one of the call's, else by index."""
    known = frozenset(identities) if dataset == "sends" else frozenset[str]()
    own: dict[str, Verdict] = {}
    for error in answer.errors:
        if error.id is not None and error.id in known:
            identity = error.id
        elif error.index is not None and 0 <= error.index < len(identities):
            identity = identities[error.index]
        else:
            continue
        outcome = Outcome.PENDING if error.code in TRANSIENT else Outcome.REJECTED
        own[identity] = Verdict(outcome, error.code or "no_code", error.error)
    return own


def _incomplete(dataset: str, answer: ImportAnswer, rows: int, there: int) -> Verdict | None:
    """The verdict on rows that an incomplete answer leaves open; None: they are accepted."""
    if rows == 1:  # a call of one row is told by its counters
        return None if there else Verdict(Outcome.REJECTED, NOT_NAMED, "refused without a reason")
    if dataset != REVENUE:
        return Verdict(Outcome.PENDING, NOT_NAMED, _UNTOLD)
    nothing_stored = answer.success_count == 0 and answer.error_count >= rows and not answer.total_revenue
    return Verdict(Outcome.PENDING if nothing_stored else Outcome.IN_DOUBT, NOT_NAMED, _UNTOLD)
