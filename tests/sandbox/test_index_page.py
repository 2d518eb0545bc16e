"""The account's own description: a page without scripts, and OpenAPI; both have every route."""

from sandbox.plain_clients import WITHOUT_KEY

from pipelines.sandbox import Account, running
from pipelines.sandbox.serving.routes import ROUTES, ROUTES_OF_V1


def test_the_page_and_its_description_have_every_route() -> None:
    """GET / and /openapi.json answer without a key, and have each route, field and code."""
    with running(Account()) as server:
        root = server.url.removesuffix("/api/v2")
        page, described = WITHOUT_KEY.get(f"{root}/"), WITHOUT_KEY.get(f"{root}/openapi.json").json()
        assert WITHOUT_KEY.head(f"{root}/").status_code == 200
        assert WITHOUT_KEY.post(f"{root}/").status_code == 401
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text
    for prefix, routes in (("/api/v2", ROUTES), ("/api/v1", ROUTES_OF_V1)):
        for route in routes:
            assert f"{route.method} {route.path}</code>" in page.text
            operation = described["paths"][prefix + route.path][route.method.lower()]
            assert set(route.codes.split()) <= set(operation["x-codes"])
            assert all(code in page.text for code in (*route.codes.split(), *route.takes.split()))
    creative = described["paths"]["/api/v2/creatives"]["post"]["requestBody"]["content"]["application/json"]
    assert creative["schema"]["required"] == ["name", "message", "offer_links"]
