"""What the ledger says was accepted, compared with what the API acknowledged, call by call.

What does not belong here: the contacts' totals (`reconcile`).
"""

from dataclasses import dataclass
from decimal import Decimal

from pipelines.push.ledger.ledger import Ledger
from pipelines.push.ledger.queries.sums import Sums, sums
from schemas.registry import PUSHED
from schemas.values.money import amount_of


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of one dataset, over every push on record.

    Attributes:
        dataset: its name.
        accepted: rows that are in the account through us, by the ledger.
        settled: those of them that no answer acknowledged, but a reading of the contacts or a person.
        acknowledged: records that the API counted as taken in.
        skipped: records that it counted as there already; a row that was sent again is among them.
        in_doubt: rows without a usable answer.
        amount: revenue of the accepted rows, in the account's currency; 0 for other datasets.
        amount_settled: of the settled ones.
        amount_in_doubt: of those in doubt.
        amount_acknowledged: what the API added up in its answers; None where an answer did not say.
    """

    dataset: str
    accepted: int
    settled: int
    acknowledged: int
    skipped: int
    in_doubt: int
    amount: Decimal
    amount_settled: Decimal
    amount_in_doubt: Decimal
    amount_acknowledged: Decimal | None

    @property
    def has_rows(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self.accepted or self.acknowledged or self.skipped or self.in_doubt)

    @property
    def agrees(self) -> bool:
        """Whether both sides can be right.

        An accepted row was acknowledged, or skipped when sent again, or settled. Of a call that failed in part
        without telling for which rows, the acknowledged ones may be settled or in doubt now.
        """
        rows = (
            self.accepted - self.settled - self.skipped <= self.acknowledged <= self.accepted + self.in_doubt
        )
        if self.amount_acknowledged is None:
            return rows
        least, most = self.amount - self.amount_settled, self.amount + self.amount_in_doubt
        return rows and least <= self.amount_acknowledged <= most


def balances(ledger: Ledger | None) -> dict[str, Balance]:
    """The balance of every dataset; all zero before the first push.

    Raises:
        StorageError: the ledger cannot be read.
    """
    found: dict[str, Sums] = {}
    if ledger:
        with ledger.begin() as connection:
            found = sums(connection)
    return {name: _of(name, found.get(name, Sums())) for name in PUSHED}


def _of(name: str, of: Sums) -> Balance:
    return Balance(
        dataset=name,
        accepted=of.accepted,
        settled=of.settled,
        acknowledged=of.success_count,
        skipped=of.duplicates_skipped,
        in_doubt=of.in_doubt,
        amount=amount_of(of.amount),
        amount_settled=amount_of(of.amount_settled),
        amount_in_doubt=amount_of(of.amount_in_doubt),
        amount_acknowledged=None if of.total_revenue is None else amount_of(of.total_revenue),
    )
