"""The verdict on a row (outcome, code and text), and the counts of outcomes.

What does not belong here: the outcomes themselves (`schemas.values.outcomes`), and how a row gets one
(`checks.validate`, `send.answers`, `ledger`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from schemas.values.outcomes import LEFT_OUT, Outcome

__all__ = [
    "CONTRADICTED",
    "EVIDENCE",
    "LEFT_TO_PERSON",
    "NOT_NAMED",
    "NOT_SENT",
    "NO_ANSWER",
    "NO_READING",
    "RESOLVED",
    "SETTLED",
    "UNREAD",
    "UNSETTLED",
    "Outcome",
    "Outcomes",
    "Verdict",
    "cause",
]


NO_ANSWER = "no_answer"
"""Our code for rows of a call that had no usable answer."""

NOT_NAMED = "not_named"
"""Our code for rows of a call that failed in part, if the answer does not say which rows."""

UNSETTLED = (NO_ANSWER, NOT_NAMED)
"""Codes of rows in doubt that a later reading may settle."""

NO_READING = "no_reading"
"""Our code for rows in doubt that no reading can settle, because their contacts' totals before are not recorded."""

UNREAD = (
    "by hand: the contact's totals before this row, or revenue sent to the contact since, are not all recorded, so no"
    " push can settle it; look in Trackly whether the contact has it"
)
"""The reason for NO_READING: the row's call was taken over from another record than the ledger, or made by a program
that read no totals, or calls were taken over since that may be of the same contact."""

SETTLED = "settled"
"""Our code for rows that a reading has shown to be in the account."""

RESOLVED = "resolved"
"""Our code for rows in doubt that a person settled."""

CONTRADICTED = "contradicted"
"""Our code for rows in doubt that a person had settled in one way, and a later reading in another."""

LEFT_TO_PERSON = (NO_READING, CONTRADICTED)
"""Codes of rows in doubt that no reading settles: it cannot, or it would override a person's decision."""

NOT_SENT = "not_sent"
"""Our code for rows of a call that was not carried out."""


EVIDENCE = "beyond what was acknowledged"
"""First words of a contact's figures at the end of a verdict's text; the cause stands before them."""


def cause(text: str, outcome: Outcome) -> str:
    """Return the text of a verdict without the figures of the row, so that rows with one cause have one text.

    Args:
        text: the text of the verdict.
        outcome: the outcome of the verdict; earlier versions of the program wrote no cause before the figures.
    """
    before, figures, _ = text.partition(EVIDENCE)
    return before.rstrip(":; ") or CAUSES.get(outcome, "") if figures else text


CAUSES = {
    Outcome.ACCEPTED: "the contact's totals have it",
    Outcome.PENDING: "the contact's totals do not have it",
    Outcome.IN_DOUBT: "the contact's totals do not settle it",
}
"""The cause by outcome: what the totals of a contact say about a row."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one row, and the reason.

    Attributes:
        outcome: the outcome.
        code: the API's code, or one of ours, such as "not_named", "no_answer", "not_sent", "already_there"; or "".
        message: the vendor's text, or ours; without personal data.
    """

    outcome: Outcome
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts of the rows of one dataset's current input, by outcome.

    Attributes:
        rows_in: rows of the input, malformed lines included; the other counts sum to it.
        accepted: in the account, through us.
        duplicate: the account already had the row before us, or the input repeats it.
        rejected: refused by the API, with its code.
        quarantined: not sent, because the row itself is wrong.
        parked: not sent yet, because its send is not in the account, or because it waits for a decision.
        in_doubt: sent without a usable answer; it is not sent again without proof (revenue only).
        pending: yet to be sent.

    Raises:
        ValueError: the outcomes do not sum to rows_in, or one is negative.
    """

    rows_in: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    quarantined: int = 0
    parked: int = 0
    in_doubt: int = 0
    pending: int = 0

    def __post_init__(self) -> None:
        counts = [getattr(self, outcome.value) for outcome in Outcome]
        if sum(counts) != self.rows_in or min(counts) < 0:
            raise ValueError(f"outcomes do not add up: {asdict(self)}")

    @property
    def left_out(self) -> int:
        """Rows that a finished push did not bring into the account, and that a person should look at."""
        return sum(getattr(self, outcome.value) for outcome in LEFT_OUT)

    @classmethod
    def of(cls, rows_in: int, counted: Mapping[str, int]) -> "Outcomes":
        """Return counts from those that are recorded; the rest of rows_in is pending."""
        known = {name: n for name, n in counted.items() if name != Outcome.PENDING}
        return cls(rows_in=rows_in, pending=rows_in - sum(known.values()), **known)
