"""The temporary table `known` of a stage: the rows that the ledger knows.

`checks.compare` fills it from the ledger. What does not belong here: what follows for rows of the input.
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
"""Columns of the table, in order; see `ledger_rows`. A row that has to wait has only an identity."""

IS_NEW = "NOT EXISTS (SELECT 1 FROM known WHERE known.identity = ready.identity)"
"""SQL condition: a row of `ready` has not been sent before and need not wait."""

IS_UNSENT = (
    "NOT EXISTS (SELECT 1 FROM known WHERE known.identity = ready.identity"
    f" AND coalesce(known.outcome, '') <> '{Outcome.PENDING}')"
)
"""SQL condition: a row of `ready` is not known to be in the account: it is new, or its call was not carried out."""
