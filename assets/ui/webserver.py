"""Dagster's pages behind the guard: `python -m assets.ui.webserver WORKSPACE HOST PORT`, with DAGSTER_HOME set.

What must not go in: access rules (`guard`), and the other processes (`serve`).
"""

import sys

import dagster as dg
import uvicorn
from dagster._core.workspace.context import (
    WorkspaceProcessContext,  # not public; the lock files pin the version
)
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from assets.ui.guard import App, Guard, Rules, is_loopback
from assets.ui.socket_owner import may_enter
from pipelines.settings import Settings, load_settings

_STATEMENT_MILLISECONDS, _POOL_SECONDS, _OVERFLOW = (
    15_000,
    3_600,
    20,
)  # the same as in dagster-webserver's own command
_POLL_MILLISECONDS = 2_000


def rules_of(settings: Settings, host: str, port: int) -> Rules:
    """Return the access rules of pages on a host and port.

    Args:
        settings: the operator's.
        host: the host of the UI.
        port: its port.
    """
    named = settings.allowed_hosts | (frozenset() if _is_any(host) or is_loopback(host) else {host.lower()})
    password = settings.ui_password.get_secret_value() if settings.ui_password else None
    return Rules(port, named, password, may_enter)


def serve(workspace: str, host: str, port: int) -> None:
    """Serve the pages until SIGTERM or SIGINT.

    Args:
        workspace: a file that names the code server.
        host: to listen on.
        port: the same.
    """
    settings = load_settings()
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, _POOL_SECONDS, _OVERFLOW)
        with WorkspaceProcessContext(
            instance, version=__version__, workspace_load_target=WorkspaceFileTarget([workspace])
        ) as context:
            app: App = create_app_from_workspace_process_context(context, "", _POLL_MILLISECONDS)
            guarded = Guard(app, rules_of(settings, host, port))
            # a proxy's claims about the peer are not trusted
            config = uvicorn.Config(
                guarded, host=host.strip("[]"), port=port, log_level="warning", proxy_headers=False,
                server_header=False,
            )  # fmt: skip
            uvicorn.Server(config).run()


def _is_any(host: str) -> bool:
    return host.strip("[]") in ("0.0.0.0", "::", "")  # noqa: S104 - to be compared with


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
