"""What each forked process would do for itself: imports, and all that is prepared by a first pull and push.

Importing this module does it, in the process that tests fork from (see `forked`). Nothing of it is left but what a
process keeps for its next pull and push: no thread, no open file.
"""

import importlib
import os
import tempfile
import threading
from pathlib import Path

os.environ.clear()  # no test's settings; each process is given its own
os.umask(0o022)  # a shell's, also where a test before has made its process a private one; a pull notes it
with tempfile.TemporaryDirectory() as _folder:
    os.chdir(_folder)  # nor a file .env
    from pipelines.pull.run import pull_all
    from pipelines.push.run import push
    from pipelines.sandbox import API_KEY, running, seed_account, write_history
    from pipelines.settings import load_settings
    from schemas.registry import PUSHED

    _account = seed_account(contacts=20)
    with running(_account) as _server:
        _settings = load_settings(api_key=API_KEY, base_url=_server.url, data_dir=Path("data"))
        pull_all(_settings, "warmed")
        write_history(_account, _settings.history, sends=100)
        push(_settings, list(PUSHED))
    os.chdir("/")
for _module in (
    "rich.progress",
    "rich.table",
    "pipelines.report.write",
    "typer._adapters",
    "typer._click.decorators",
    "pipelines.cli.app",
    "pipelines.cli.commands.pull",
    "pipelines.cli.commands.push",
    "pipelines.cli.commands.rejects",
    "pipelines.cli.commands.status",
):
    importlib.import_module(_module)
assert threading.active_count() == 1, threading.enumerate()
