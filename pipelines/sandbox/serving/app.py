"""The account over HTTP: faults, authentication, limits, and the routes.

What does not belong here: which routes there are (`routes`), what they answer (the folders of the resources), the
control routes (`control`), and how faults leave (`faults`).
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipelines.sandbox.account import API_KEY, Account, Request
from pipelines.sandbox.faults.abort import abort
from pipelines.sandbox.faults.apply import misled, refusal, spoilt
from pipelines.sandbox.faults.flaws import flawed
from pipelines.sandbox.faults.kinds import Fault, Faults
from pipelines.sandbox.faults.replies import as_json, gateway_reply, send_dripping, send_half
from pipelines.sandbox.replies import Refusal, Reply, not_found, refused
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.serving import control
from pipelines.sandbox.serving.http_parts import PREFIX, TABLES, headers_for, of_version, parsed
from pipelines.sandbox.serving.index_page import PAGES
from pipelines.sandbox.serving.routes import Route, find

__all__ = ["PREFIX", "App"]

MAX_BODY = 5 * 1024 * 1024
"""/api-reference/v2/overview: bodies above 5 MB are refused with 413."""

Struck = Mapping[str, Fault]


class App:
    """An ASGI application that serves one account."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self.account = account
        self.faults = faults
        self._under_way = 0
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server has neither lifespan nor web sockets."""
        request = HttpRequest(scope, receive)
        body = await request.body()
        own = self._own(request, body)
        if own is not None:
            await own(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._answer(request, body, send)
        finally:
            self._under_way -= 1

    def _own(self, request: HttpRequest, body: bytes) -> Response | None:
        """Answer requests outside the API: the page, its description, the control routes, and the methods of a path.

        In the state, `under_way` counts the requests that the account is still working on.
        """
        path = request.scope["path"]
        if request.method in ("GET", "HEAD") and path in PAGES:
            return PAGES[path]()
        if request.method == "OPTIONS":
            return Response(b"", 204, headers_for("OPTIONS", path, 204))
        if not path.startswith(control.PREFIX + "/"):
            return None
        status, content = control.control(self.account, self.faults, request.method, path, body)
        if path == f"{control.PREFIX}/state":
            content |= {"under_way": self._under_way + len(self._late)}
        return as_json(status, content)

    async def _answer(self, request: HttpRequest, body: bytes, send: Send) -> None:
        path = request.scope["path"].removeprefix(PREFIX)
        struck = {fault.kind: fault for fault in self.faults.strike(request.method, path)}
        if "latency" in struck:
            await self._pause(struck["latency"], body)
        self.faults.revoked |= "revoke" in struck
        if self.account.before_request is not None:
            self.account.before_request(len(self.account.log), self.account)
        logged = Request(request.method, path, dict(request.query_params), None)
        self.account.log.append(logged)
        response = await self._response(request, body, logged, struck)
        if response is None:
            abort(request.scope)
            return
        response.headers.update(headers_for(request.method, request.scope["path"], response.status_code))
        logged.status = response.status_code
        if "truncate" in struck:
            await send_half(response, send)
        elif "drip" in struck:
            await send_dripping(response, struck["drip"].value, request, send)
        else:
            await response(request.scope, request.receive, send)

    async def _response(
        self, request: HttpRequest, body: bytes, logged: Request, struck: Struck
    ) -> Response | None:
        """Return the answer; None if the connection breaks instead."""
        if "reset-before" in struck:
            return None
        if (refused_by := refusal(struck, len(body))) is not None:
            return refused_by
        if "gateway" in struck:
            return await self._gateway(request, body, logged, struck)
        status, reply = self._work(request, body, logged, struck)
        if "stall" in struck:
            await self._pause(struck["stall"], body)
        return None if "reset-after" in struck or "half" in struck else spoilt(struck, status, reply)

    async def _pause(self, fault: Fault, body: bytes) -> None:
        """Wait, whether or not the client is still there."""
        records = len(json.loads(body)["records"]) if fault.per_row and body else 0
        await asyncio.sleep(self.faults.delay(fault, records))

    async def _gateway(self, request: HttpRequest, body: bytes, logged: Request, struck: Struck) -> Response:
        """Return a gateway's reply after its time; the account behind it does the work later, or never."""
        fault = struck["gateway"]

        async def work() -> None:
            await asyncio.sleep(fault.commit or 0)
            self._work(request, body, logged, struck)

        if fault.commit is not None:
            task = asyncio.create_task(work())
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        await asyncio.sleep(fault.seconds or 0)
        return gateway_reply(fault)

    def _work(self, request: HttpRequest, body: bytes, logged: Request, struck: Struck) -> Reply:
        """Carry out the request; return status and JSON."""
        version, path = of_version(request.scope["path"])
        if (no_access := self._no_access(request.headers.get("x-api-key"), path)) is not None:
            return no_access
        if len(body) > MAX_BODY:
            return refused("payload_too_large", "Request body too large", 413)
        route, ids, methods = find(TABLES.get(version, ()), request.method, path)
        if route is None:
            return refused("method_not_allowed", "Method not allowed", 405) if methods else not_found()
        product, code_without = route.product
        if product and product not in self.account.products:
            return refused(code_without, "The account does not have this product", 403)
        given, problem = _body_of(route, body)
        if problem is not None:
            return refused(*problem)
        if isinstance(given.get("records"), list):
            logged.records = len(given["records"])
            if "half" in struck:
                del given["records"][logged.records // 2 :]
        return self._called(route, Call(ids, _asked(logged.query, struck), given), logged, struck)

    def _called(self, route: Route, call: Call, logged: Request, struck: Struck) -> Reply:
        if "save-error" in struck:
            return self._with_save_errors(route, call, struck["save-error"])
        reply = route.handler(self.account, call)
        return _misread(reply, struck, logged.query) if route.method == "GET" and not call.ids else reply

    def _no_access(self, key: str | None, path: str) -> Reply | None:
        if not key:
            return refused("missing_api_key", "API key is required", 401)
        if self.faults.revoked or key != API_KEY:
            return refused("invalid_api_key", "Invalid API key", 401)
        if self.account.suspended:
            return 403, {"error": "Account suspended"}
        return _not_there(self.account, path)

    def _with_save_errors(self, route: Route, call: Call, fault: Fault) -> Reply:
        before = self.account.refuse
        self.account.refuse = lambda _, __: (
            ("save_error", "Could not be saved") if self.faults.chance.random() < fault.rate else None
        )
        try:
            return route.handler(self.account, call)
        finally:
            self.account.refuse = before


def _body_of(route: Route, body: bytes) -> tuple[dict[str, Any], Refusal | None]:
    """Return the object of a body. A body that is not an object lacks the required fields; a change refuses it."""
    given, problem = parsed(body)
    if isinstance(given, dict):
        return given, problem
    changes = route.method == "PUT" and route.takes and "*" not in route.takes
    return {}, ("invalid_body", "Request body is not a JSON object") if changes else problem


def _not_there(account: Account, path: str) -> Reply | None:
    """Return the refusal of a resource that this account does not have."""
    resource = path.split("/")[1] if "/" in path else path
    if resource in account.options.unserved:
        return not_found()
    if resource in account.options.not_enabled:
        return refused("product_not_enabled", "Product not enabled for this account", 403)
    return None


def _misread(reply: Reply, struck: Struck, asked: dict[str, str]) -> Reply:
    """Return the reply to a read of rows, changed by faults."""
    status, content = misled(reply, struck, asked)
    return status, flawed(content, struck)


def _asked(query: dict[str, str], struck: Struck) -> dict[str, Any]:
    """Return the query, changed by faults."""
    changed = dict(query)
    if "repeat" in struck:
        changed["page"] = "1"
    if "page-size" in struck:
        changed["per_page"] = str(struck["page-size"].value)
    return changed
