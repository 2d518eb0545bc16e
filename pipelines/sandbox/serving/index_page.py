"""GET / and /openapi.json: the account's routes for people and for programs, from the table of routes."""

import json
import re
from collections.abc import Callable, Mapping
from html import escape

from starlette.responses import HTMLResponse, Response

from pipelines.sandbox.account import API_KEY
from pipelines.sandbox.contacts.validation import PREFIXES
from pipelines.sandbox.faults.kinds import KINDS
from pipelines.sandbox.replies import Row
from pipelines.sandbox.requests.write_rules import OF_PATHS, schemas
from pipelines.sandbox.serving.routes import ROUTES, ROUTES_OF_V1, Route

COMMON_CODES = (
    "missing_api_key", "invalid_api_key", "unauthorized", "payload_too_large", "invalid_json", "invalid_body",
    "body_too_deep", "number_too_large", "invalid_text", "not_found",
    "method_not_allowed", "rate_limited", "internal_error", "server_error",
)  # fmt: skip
"""Codes that any route may refuse with."""

_NAMES = re.compile(r"\{(\w+)\}")
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}
code{font:14px ui-monospace,monospace;background:var(--soft);border-radius:3px;padding:.1em .3em}
pre{background:var(--soft);border-radius:6px;padding:.75rem;white-space:pre-wrap}pre code{background:none;padding:0}
details{border-top:1px solid var(--line);padding:.5rem 0}summary{cursor:pointer}
dl{margin:.5rem 0 .5rem 1rem}dt{font-weight:600}dd{margin:0 0 .5rem}
"""
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def html_page() -> Response:
    """Return the page for people, without scripts and outside resources."""
    content = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trackly sandbox</title><style>{_STYLE}</style></head><body>
<h1>Trackly sandbox</h1>
<p>A local, made-up account that speaks the Trackly SMS API. Nothing leaves this machine: messages are queued and
never sent. For programs: <a href="/openapi.json">openapi.json</a>.</p>
<p>The base URL is this address with <code>/api/v2</code>; the key of every sandbox is <code>{API_KEY}</code>.</p>
<pre><code>curl -H "X-Api-Key: $TRACKLY_API_KEY" "$TRACKLY_BASE_URL/lists"</code></pre>
<h2>API v2, below <code>/api/v2</code></h2>{"".join(map(_details, ROUTES))}
<h2>API v1, below <code>/api/v1</code> (deprecated)</h2>{"".join(map(_details, ROUTES_OF_V1))}
<h2>Codes of every route</h2><p>{_codes(" ".join(COMMON_CODES))}</p>
<p>A value of another type or range than /openapi.json has is refused with the route's own code where there is one,
else with <code>invalid_</code> and the field's name.</p>
<h2>Phone numbers that fail on purpose, by how they begin</h2><dl>{_terms(PREFIXES)}</dl>
<h2>Control, below <code>/_sandbox</code>, without a key</h2><dl>{_terms(CONTROLS)}</dl>
<h2>Faults</h2><dl>{_terms(KINDS)}</dl>
</body></html>"""
    return HTMLResponse(
        content, headers={"Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff"}
    )


def openapi() -> Response:
    """Return the routes as OpenAPI: methods, paths, fields, codes, and types of v2's fields."""
    paths: dict[str, Row] = {}
    for prefix, routes in (("/api/v2", ROUTES), ("/api/v1", ROUTES_OF_V1)):
        for route in routes:
            paths.setdefault(prefix + route.path, {})[route.method.lower()] = _operation(route)
    key = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
    described = {
        "openapi": "3.1.0",
        "info": {"title": "Trackly sandbox", "version": "2"},
        "security": [{"key": []}],
        "components": {"securitySchemes": {"key": key}},
        "paths": paths,
    }
    return Response(json.dumps(described), media_type="application/json")


def _details(route: Route) -> str:
    takes = route.takes.split()
    fields = ", ".join(f"<code>{escape(one)}</code>" for one in takes) or "nothing"
    codes = _codes(route.codes) if route.codes else "only those of every route"
    return (
        f"<details><summary><code>{route.method} {escape(route.path)}</code> {escape(route.about)}</summary>"
        f"<dl><dt>Takes</dt><dd>{fields}</dd><dt>Codes</dt><dd>{codes}</dd></dl></details>"
    )


def _codes(codes: str) -> str:
    return " ".join(f"<code>{code}</code>" for code in codes.split())


def _operation(route: Route) -> Row:
    takes = route.takes.split()
    fields, needed = [name.rstrip("*") for name in takes], [name[:-1] for name in takes if name.endswith("*")]
    operation: Row = {
        "summary": route.about,
        "parameters": [_parameter(name, "path") for name in _NAMES.findall(route.path)],
        "responses": {"200": {"description": "Done"}, "default": {"description": "error, and mostly code"}},
        "x-codes": [*COMMON_CODES, *route.codes.split()],
    }
    if route.method == "GET":
        operation["parameters"] += [_parameter(name, "query") for name in fields]
    elif fields:
        types = schemas(OF_PATHS.get(route.path, {}))
        schema = {
            "type": "object",
            "required": needed,
            "properties": {name: types.get(name, {}) for name in fields},
        }
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(name: str, where: str) -> Row:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}


def _terms(terms: Mapping[str, str]) -> str:
    return "".join(
        f"<dt><code>{escape(term)}</code></dt><dd>{escape(text)}</dd>" for term, text in terms.items()
    )


CONTROLS = {
    "GET /_sandbox/state": "Everything in the account, and how many requests it still works on",
    "GET /_sandbox/log": "Every request: method, path, query, number of records, status",
    "POST /_sandbox/account": "Change the account: suspended, billing (the code that paid validations are refused "
    "with), products (what it has bought: sms, offer_management), domain (null: no short links), options (what the "
    "documentation leaves open), lists (changes by id, such as list_type own)",
    "POST /_sandbox/faults": 'Add a fault, such as {"fault": "503,path=/contacts,times=2"}',
    "DELETE /_sandbox/faults": "Take all faults away",
    "GET, POST, DELETE /_sandbox/webhooks": "Where events go, how it goes; POST …/resume ends a pause",
    "POST /_sandbox/opt-outs, /_sandbox/replies": "Somebody answers a message",
}
"""The control routes, for the page."""

PAGES: dict[str, Callable[[], Response]] = {"/": html_page, "/openapi.json": openapi}
