"""The one table of routes: what the account serves, and by which function.

What does not belong here: who may ask (see `app`), and what the functions do (see the folders of the resources).
"""

from collections.abc import Iterable
from typing import NamedTuple

from pipelines.sandbox.calls import Handler
from pipelines.sandbox.campaigns import audiences, creatives, offers, schedules
from pipelines.sandbox.contacts import lists, reads
from pipelines.sandbox.messages import imports, revenue, send


class Route(NamedTuple):
    """One route.

    Attributes:
        method: of HTTP.
        path: below the version's prefix; `{name}` stands for any text without a slash.
        handler: the function that answers.
        about: what it does, in a line.
    """

    method: str
    path: str
    handler: Handler
    about: str


ROUTES = (
    Route("GET", "/contacts", reads.list_contacts, "All contacts, newest first, 1,000 a page at most"),
    Route("GET", "/contacts/{phone}", reads.get_contact, "One phone number with its lists"),
    Route("GET", "/lists", lists.list_lists, "All lists but deleted ones, without pages"),
    Route("GET", "/lists/{id}", lists.get_list, "One list"),
    Route("GET", "/offers", offers.list_offers, "All offers but archived ones, 100 a page at most"),
    Route("GET", "/offers/{id}", offers.get_offer, "One offer"),
    Route("GET", "/creatives", creatives.list_creatives, "Active creatives, 100 a page at most"),
    Route("GET", "/creatives/{id}", creatives.get_creative, "One creative"),
    Route(
        "GET", "/audiences", audiences.list_audiences, "All audiences but archived ones, 100 a page at most"
    ),
    Route("GET", "/audiences/{id}", audiences.get_audience, "One audience"),
    Route("GET", "/audiences/{id}/size", audiences.get_size, "Count an audience now; writes cached_size"),
    Route(
        "GET", "/schedules", schedules.list_schedules, "All schedules but those in the archive, without pages"
    ),
    Route("GET", "/schedules/{id}", schedules.get_schedule, "One schedule"),
    Route("GET", "/revenue", revenue.list_revenue, "Revenue events, where the account serves them"),
    Route("POST", "/history/sends", imports.import_sends, "Import sends, 1,000 at most"),
    Route("POST", "/history/clicks", imports.import_clicks, "Import clicks, 1,000 at most"),
    Route("POST", "/history/revenue", imports.import_revenue, "Import revenue, 1,000 at most"),
    Route("POST", "/send", send.post_send, "Queue a message"),
    Route("POST", "/send/bulk", send.post_send_bulk, "Queue messages, 1,000 at most"),
    Route("POST", "/send-raw", send.post_send_raw, "Queue a message, with checks left out on request"),
    Route("POST", "/send-raw/bulk", send.post_send_raw_bulk, "Queue such messages, 1,000 at most"),
)


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route | None, dict[str, str], list[str]]:
    """The route of a request, what stands in its path, and the methods that the path has.

    Args:
        routes: a table of routes.
        method: of HTTP; HEAD is answered like GET.
        path: below the version's prefix.
    """
    wanted = "GET" if method == "HEAD" else method
    methods: list[str] = []
    for route in routes:
        ids = _ids(route.path, path)
        if ids is not None:
            methods.append(route.method)
            if route.method == wanted:
                return route, ids, methods
    return None, {}, methods


def _ids(pattern: str, path: str) -> dict[str, str] | None:
    wanted, found = pattern.split("/"), path.split("/")
    if len(wanted) != len(found):
        return None
    ids: dict[str, str] = {}
    for name, text in zip(wanted, found, strict=True):
        if name.startswith("{"):
            if not text:
                return None
            ids[name[1:-1]] = text
        elif name != text:
            return None
    return ids
