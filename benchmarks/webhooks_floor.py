"""The floor of the receiver: a server that answers every request with 200 and stores nothing.

`python benchmarks/webhooks_floor.py PORT`; it serves until it is killed, by the same server as the receiver.
"""

import sys

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and answer."""
    await Request(scope, receive).body()
    await JSONResponse({"status": "stored"})(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        http="h11",
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
    )
