"""The rows that the ledger knows, inside a stage: the temporary table `known`.

It is made by `checks.compare`, which reads the ledger. What does not belong here: what follows for rows of the input.
"""

from schemas.values.outcomes import Outcome

COLUMNS = {
    "identity": "VARCHAR",
    "chunk": "INTEGER",
    "outcome": "VARCHAR",
    "own": "BOOLEAN",
    "current": "BOOLEAN",
    "ours": "BOOLEAN",
    "packed": "BOOLEAN",
    "content": "BIGINT",
    "likeness": "BIGINT",
    "source": "BIGINT",
}
"""Of the table, in their order; see `ledger_rows`. A row that is to wait has an identity only."""

IS_NEW = "NOT EXISTS (SELECT 1 FROM known WHERE known.identity = ready.identity)"
"""Whether a row of `ready` is to be sent for the first time, as SQL."""

IS_UNSENT = (
    "NOT EXISTS (SELECT 1 FROM known WHERE known.identity = ready.identity"
    f" AND coalesce(known.outcome, '') <> '{Outcome.PENDING}')"
)
"""Whether a row of `ready` is not in the account, as far as is known: new, or of a call that was not carried out."""
