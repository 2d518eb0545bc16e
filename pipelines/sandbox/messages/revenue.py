"""Revenue events, for accounts that serve them: GET /revenue is in no documentation."""

from pipelines.sandbox.account import Account
from pipelines.sandbox.calls import Call
from pipelines.sandbox.replies import Reply, not_found, paged


def list_revenue(account: Account, call: Call) -> Reply:
    """GET /revenue, newest first; 404 unless the account's options say otherwise."""
    return (
        paged("revenue", account.revenue[::-1], call.query) if account.options.revenue_events else not_found()
    )
