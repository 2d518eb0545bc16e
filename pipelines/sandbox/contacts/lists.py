"""GET /lists and /lists/{id}, per /api-reference/v2/lists/list-all and get-list. Lists cannot be written."""

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Reply, by_id, by_status, not_found
from pipelines.sandbox.requests.call import Call


def list_lists(account: Account, call: Call) -> Reply:
    """GET /lists: all lists without pages; deleted lists only on request."""
    return 200, {"lists": by_status(account.lists, call.query, hidden="deleted")}


def get_list(account: Account, call: Call) -> Reply:
    """GET /lists/{id}: a deleted list is 404, although a filtered read shows it."""
    row = by_id(account.lists, call.ids["id"])
    return not_found("List") if row is None or row["status"] == "deleted" else (200, row)
