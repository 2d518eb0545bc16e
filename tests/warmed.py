"""What each forked process would do for itself: imports, and a small pull, which has most modules make their tables.

Importing this module does it, in the process that tests fork from (see `forked`). Nothing of it is left but what a
process keeps for its next pull: no thread, no open file.
"""

import importlib
import os
import tempfile
import threading
from pathlib import Path

os.environ.clear()  # no test's settings; each process is given its own
with tempfile.TemporaryDirectory() as _folder:
    os.chdir(_folder)  # nor a file .env
    from pipelines.pull.run import pull_all
    from pipelines.sandbox import API_KEY, running, seed_account
    from pipelines.settings import load_settings

    with running(seed_account(contacts=20)) as _server:
        pull_all(load_settings(api_key=API_KEY, base_url=_server.url, data_dir=Path("data")), "warmed")
    os.chdir("/")
for _module in (
    "alembic.command",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.sqlite",
    "typer._adapters",
    "typer._click.decorators",
    "pipelines.cli.app",
    "pipelines.cli.commands.pull",
    "pipelines.cli.commands.push",
    "pipelines.cli.commands.status",
    "pipelines.push.run",
):
    importlib.import_module(_module)
assert threading.active_count() == 1, threading.enumerate()
