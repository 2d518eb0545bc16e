"""The account over HTTP: authentication, limits, routes, faults, and the control routes under /_sandbox.

Control routes need no key: GET /_sandbox/state and /_sandbox/log, POST and DELETE /_sandbox/faults (a body of
`{"fault": "503,times=2"}`), and those of webhooks (see `messages`). In the state, `under_way` counts the requests
that the account still works on, also those that nobody waits for any more. What does not belong here: what replies
say (see `reads`, `imports`, `messages`), and how they leave (`wire`).
"""

import asyncio
import json
from dataclasses import asdict
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipelines.errors import UsageError
from pipelines.sandbox.account import API_KEY, Account, Request
from pipelines.sandbox.faults import Fault, Faults, parse_fault
from pipelines.sandbox.flaws import flawed
from pipelines.sandbox.imports import import_records
from pipelines.sandbox.messages import control, posted
from pipelines.sandbox.reads import not_found, page_of, read, read_contact
from pipelines.sandbox.transport import abort
from pipelines.sandbox.wire import as_json, gateway_reply, page, rewritten, send_dripping, send_half

PREFIX = "/api/v2"
MAX_BODY = 5 * 1024 * 1024
"""/api-reference/v2/overview: bodies above 5 MB are refused with 413."""

Reply = tuple[int, Any]


class App:
    """An ASGI application that serves one account."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self.account = account
        self.faults = faults
        self._revoked = False
        self._under_way = 0
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = HttpRequest(scope, receive)
        body = await request.body()
        if request.url.path.startswith("/_sandbox/"):
            await self._control(request, body)(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._answer(request, body, send)
        finally:
            self._under_way -= 1

    async def _answer(self, request: HttpRequest, body: bytes, send: Send) -> None:
        path = request.url.path.removeprefix(PREFIX)
        struck = {fault.kind: fault for fault in self.faults.strike(request.method, path)}
        if "latency" in struck:
            await self._pause(struck["latency"], body)
        self._revoked |= "revoke" in struck
        if self.account.before_request is not None:
            self.account.before_request(len(self.account.log), self.account)
        logged = Request(request.method, path, dict(request.query_params), None)
        self.account.log.append(logged)
        if "reset-before" in struck:
            abort(request.scope)
            return
        response = _refusal(struck, len(body))
        if response is None and "gateway" in struck:
            response = await self._gateway(request, path, body, logged, struck)
        if response is None:
            status, reply = self._work(request, path, body, logged, struck)
            if "stall" in struck:
                await self._pause(struck["stall"], body)
            if "reset-after" in struck or "half" in struck:
                abort(request.scope)
                return
            response = _spoilt(struck, status, reply)
        logged.status = response.status_code
        if "truncate" in struck:
            await send_half(response, send)
        elif "drip" in struck:
            await send_dripping(response, struck["drip"].value, request, send)
        else:
            await response(request.scope, request.receive, send)

    async def _pause(self, fault: Fault, body: bytes) -> None:
        """Take time, whether or not the client still waits."""
        records = len(json.loads(body)["records"]) if fault.per_row and body else 0
        await asyncio.sleep(self.faults.delay(fault, records))

    async def _gateway(
        self, request: HttpRequest, path: str, body: bytes, logged: Request, struck: dict[str, Fault]
    ) -> Response:
        """A gateway's reply after its time; the account behind it does the work at a time of its own, if at all."""
        fault = struck["gateway"]

        async def work() -> None:
            await asyncio.sleep(fault.commit or 0)
            self._work(request, path, body, logged, struck)

        if fault.commit is not None:
            task = asyncio.create_task(work())
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        await asyncio.sleep(fault.seconds or 0)
        return gateway_reply(fault)

    def _work(
        self, request: HttpRequest, path: str, body: bytes, logged: Request, struck: dict[str, Fault]
    ) -> Reply:
        """Do what the request asks; status and JSON."""
        if (refused := self._no_access(request.headers.get("x-api-key"))) is not None:
            return refused
        if len(body) > MAX_BODY:
            return 413, {"error": "Request body too large", "code": "payload_too_large"}
        query = dict(request.query_params)
        if "repeat" in struck:
            query["page"] = "1"
        if "page-size" in struck:
            query["per_page"] = str(struck["page-size"].value)
        if request.method == "GET":
            if path.startswith("/contacts/"):
                return read_contact(self.account, path.removeprefix("/contacts/"))
            status, reply = _misled(read(self.account, path.lstrip("/"), query), struck, logged.query)
            return status, flawed(reply, struck)
        if request.method == "POST" and (sent := posted(self.account, path, body)) is not None:
            return sent
        entity = path.removeprefix("/history/")
        if request.method != "POST" or entity not in ("sends", "clicks", "revenue") or entity == path:
            return not_found()
        return self._import(entity, body, logged, struck)

    def _no_access(self, key: str | None) -> Reply | None:
        if not key:
            return 401, {"error": "API key is required", "code": "missing_api_key"}
        if self._revoked or key != API_KEY:
            return 401, {"error": "Invalid API key", "code": "invalid_api_key"}
        return (403, {"error": "Account suspended"}) if self.account.suspended else None

    def _import(self, entity: str, body: bytes, logged: Request, struck: dict[str, Fault]) -> Reply:
        try:
            parsed = json.loads(body)
        except ValueError:
            return 400, {"error": "Request body is not valid JSON", "code": "invalid_json"}
        if isinstance(parsed, dict) and isinstance(parsed.get("records"), list):
            logged.records = len(parsed["records"])
            if "half" in struck:
                del parsed["records"][logged.records // 2 :]
        fault = struck.get("save-error")
        if fault is None:
            return import_records(self.account, entity, parsed)
        before = self.account.refuse
        self.account.refuse = lambda _, __: (
            ("save_error", "Could not be saved") if self.faults.chance.random() < fault.rate else None
        )
        try:
            return import_records(self.account, entity, parsed)
        finally:
            self.account.refuse = before

    def _control(self, request: HttpRequest, body: bytes) -> Response:
        try:
            found = control(self.account, request.method, request.url.path, body)
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        if found is not None:
            return as_json(*found)
        match request.method, request.url.path:
            case "GET", "/_sandbox/state":
                busy = {"under_way": self._under_way + len(self._late)}
                return as_json(200, state(self.account) | busy)
            case "GET", "/_sandbox/log":
                return as_json(200, {"log": [asdict(item) for item in self.account.log]})
            case "POST", "/_sandbox/faults":
                try:
                    fault = parse_fault(str(json.loads(body)["fault"]))
                except (UsageError, ValueError, KeyError, TypeError) as error:
                    return as_json(400, {"error": str(error)})
                self.faults.active.append(fault)
                return as_json(200, {"faults": [asdict(item) for item in self.faults.active]})
            case "DELETE", "/_sandbox/faults":
                self.faults.active.clear()
                self._revoked = False
                return as_json(200, {"faults": []})
        return as_json(*not_found())


def state(account: Account) -> dict[str, Any]:
    """The whole account as JSON would have it, contacts newest first."""
    return {
        "lists": account.lists,
        "offers": account.offers,
        "contacts": account.contacts(),
        "sends": account.sends,
        "clicks": account.clicks,
        "revenue": account.revenue,
    }


def _refusal(struck: dict[str, Fault], size: int) -> Response | None:
    """The answer of a service in trouble, or of a proxy before it, which does no work."""
    if "limit" in struck and size > struck["limit"].value:
        return page(413, "413 Request Entity Too Large")
    if "429" in struck:
        seconds = struck["429"].seconds
        headers = {} if seconds is None else {"Retry-After": f"{seconds:g}"}
        return as_json(429, {"error": "Too many requests", "code": "rate_limited"}, headers)
    if "502" in struck:
        return page(502, "Bad gateway")
    for status in (500, 503):
        if str(status) in struck:
            return as_json(status, {"error": "Internal error", "code": "internal_error"})
    return None


def _spoilt(struck: dict[str, Fault], status: int, reply: Any) -> Response:
    """The answer after the work, as faults leave it."""
    if "html" in struck:
        return page(200, "Bad gateway")
    if "shape" in struck:
        return as_json(200, {"data": {"items": []}})
    if "zeros" in struck:
        return as_json(200, {"success_count": 0, "error_count": 0, "errors": []})
    if "rewritten" in struck:
        return rewritten(status, reply)
    return as_json(status, reply)


def _misled(reply: Reply, struck: dict[str, Fault], asked: dict[str, str]) -> Reply:
    status, content = reply
    if "pagination" not in content:
        return reply
    if "total" in struck:
        content["pagination"]["total"] = struck["total"].value
    if "no-pages" in struck:
        content["pagination"]["total_pages"] = 0
    if "no-total" in struck:
        del content["pagination"]["total"]
    if "cut" in struck:
        (name,) = content.keys() - {"pagination"}
        before = (content["pagination"]["page"] - 1) * content["pagination"]["per_page"]
        content[name] = content[name][: max(struck["cut"].value - before, 0)]
    if "repeat" in struck:
        content["pagination"]["page"] = page_of(asked, "")[0]
    return status, content
