"""`trackly-sync demo`: pull, push and reconcile with an embedded account, through the Dagster jobs."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TextIO

import typer

from pipelines.cli.commands.sandbox import show_exports
from pipelines.cli.commands.ui import check_port, dagster_home, serve_pages
from pipelines.cli.shared.arguments import AsJson
from pipelines.cli.shared.demo_folder import empty, own_folder, refuse_while_served
from pipelines.cli.shared.exits import guarded
from pipelines.cli.terminal.consoles import out, tell
from pipelines.cli.terminal.results import show_json, show_pulled, show_pushed, status_json
from pipelines.errors import UsageError
from pipelines.process.subprocesses import module_command, safe_environment
from pipelines.settings import load_settings
from pipelines.settings.declared import PREFIX
from pipelines.settings.demo_account import announced
from pipelines.settings.misspelt import misspelt
from pipelines.text.humanize import form, plural

if TYPE_CHECKING:
    from pipelines.push.outcomes import Outcomes
    from pipelines.settings import Settings
    from schemas.own_tables.sync import Manifest

_ACCOUNT = "account.json"

_OF_OTHERS = dict.fromkeys(("ledger_url", "history_dir", "push_part", "hash_phones"))
"""Settings for the real account's data that the environment may have; the demo has values of its own."""

_HOST = "127.0.0.1"
_PORT, _MOST_PORT = 3000, 65_535

_QUERY = """\
SELECT lists.list_name, count(*) AS contacts, sum(revenue_total) AS revenue
FROM contacts JOIN lists ON lists.id = contacts.list_id GROUP BY ALL ORDER BY revenue DESC"""


class _Made(NamedTuple):
    """Figures of a demo that has run: bad rows of its export, repeated rows, and seconds."""

    bad: int
    repeated: int
    seconds: float


@guarded
def demo(
    data_dir: Annotated[Path, typer.Option(help="Folder of the demo's data; emptied at each start.")] = Path(
        "demo"
    ),
    contacts: Annotated[int, typer.Option(help="How many contacts the account has.", min=1000)] = 30_000,
    pages: Annotated[
        bool,
        typer.Option(
            "--ui", help="Then serve Dagster's pages and the account; a demo that has run is used as it is."
        ),
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            help=f"Port of the pages of --ui; by default {_PORT}.", min=1, max=_MOST_PORT, metavar="INTEGER"
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run sandbox, pull, push and reconcile, and show a summary; needs no key and no network.

    The demo serves a made-up local account and writes an export of another platform (some rows are bad on purpose).
    Then the Dagster job `sync` pulls, pushes and reconciles.

    Examples:
    - `trackly-sync demo`: once through, in about a minute.
    - `trackly-sync demo --json`: the result for a program; the progress is on standard error.
    - `trackly-sync demo --ui`: with Dagster's pages afterwards, where every job and backfill can be started.
    """
    _check_partners(pages=pages, as_json=as_json, port=port)
    port = port or _PORT
    with own_folder(data_dir):
        if pages:
            _check_served(data_dir, port)
        if not (pages and (data_dir / _ACCOUNT).exists()):
            code = _run(data_dir, contacts, as_json=as_json)
            if code or not pages:
                return code
        return _serve(data_dir, port)


def _check_partners(*, pages: bool, as_json: bool, port: int | None) -> None:
    """Check that the options can be combined.

    Raises:
        UsageError: they do not.
    """
    if pages and as_json:
        raise UsageError("--json is for a demo that ends; --ui goes on until Ctrl-C.", "Give one of them.")
    if port is not None and not pages:
        raise UsageError("--port is for the pages of --ui.", "Add --ui, or leave --port out.")


def _check_served(data_dir: Path, port: int) -> None:
    """Check that the pages can be served, before a demo runs for a minute and before anything is shown.

    Raises:
        BusyError: a `ui` serves the folder.
        UsageError: the port cannot be used.
    """
    refuse_while_served(data_dir)
    try:
        check_port(_HOST, port)
    except UsageError as error:
        other = port + 1 if port < _MOST_PORT else _PORT
        remedy = f"Name another, such as --port {other}; with make: make demo-ui PORT={other}"
        raise UsageError(error.message, remedy) from None


def _run(data_dir: Path, contacts: int, *, as_json: bool) -> int:
    """Run the demo once, from an empty folder."""
    started = time.monotonic()
    empty(data_dir)
    from pipelines.sandbox import running, save, seed_account, write_history  # noqa: PLC0415 - help is quick

    say = tell if as_json else out.print
    say(f"Making up an account of {plural(contacts, 'contact')} and an export of another platform ...")
    if os.environ.get("TRACKLY_DATA_DIR"):
        say(f"The demo's data is in {data_dir} (--data-dir); TRACKLY_DATA_DIR is for the real account.")
    account = seed_account(contacts=contacts)
    export = write_history(account, data_dir / "history", sends=contacts // 2)
    with running(account) as server:
        code = _run_job(_environment(server.url, data_dir), data_dir, sys.stderr if as_json else None)
    save(account, data_dir / _ACCOUNT)
    if code:
        return code
    made = _Made(sum(export.bad.values()), sum(export.repeated.values()), time.monotonic() - started)
    (_show_json if as_json else _summary)(data_dir, made)
    return 0


def _serve(data_dir: Path, port: int) -> int:
    """Serve the account as the demo has left it, and Dagster's pages for the demo's data, until Ctrl-C."""
    from pipelines.sandbox import API_KEY, load, running, save  # noqa: PLC0415 - help is quick

    try:
        account = load(data_dir / _ACCOUNT)
    except (OSError, ValueError, KeyError):
        raise UsageError(
            "The demo's account cannot be read.", f"Run trackly-sync demo --data-dir {data_dir} again."
        ) from None
    with running(account) as server:
        environment = _environment(server.url, data_dir)
        settings = load_settings(
            _env_file=None, data_dir=data_dir, schedules=False, dagster_url=None, **_OF_OTHERS
        )
        out.print("The demo's account is served meanwhile. For commands in another terminal:\n", markup=False)
        show_exports(server.url, API_KEY)
        out.print(f"export TRACKLY_DATA_DIR={shlex.quote(str(data_dir.absolute()))}\n", markup=False)
        try:
            with announced(data_dir, server.url, API_KEY):
                return serve_pages(settings, _HOST, port, environment, data_dir)
        finally:
            save(account, data_dir / _ACCOUNT)


def _environment(url: str, data_dir: Path) -> dict[str, str]:
    """Return the environment with the demo's settings and without those of the real account."""
    from pipelines.sandbox import API_KEY  # noqa: PLC0415 - help is quick

    resembling = {one.name for one in misspelt()}
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(PREFIX) and name not in resembling
        },
        "TRACKLY_API_KEY": API_KEY,
        "TRACKLY_BASE_URL": url,
        "TRACKLY_DATA_DIR": str(data_dir.absolute()),
        # a proxy must not be used for an account in this process
        "NO_PROXY": "*",
        "no_proxy": "*",
        "TRACKLY_PUSH_LEFT_OUT_SHARE": "1",  # bad rows are part of the demo
        "DAGSTER_HOME": str(dagster_home(data_dir)),
    }


def _run_job(environment: dict[str, str], folder: Path, to: TextIO | None) -> int:
    """Run the Dagster job `sync` in a separate process, since this package must not import Dagster.

    Its output goes to our output, or to the file given. It runs in the demo's folder, which has no .env: with the
    working folder's .env, it would use the real account's ledger and history.
    """
    command, safe = module_command("assets.runs.in_process", "sync"), safe_environment(environment)
    with subprocess.Popen(command, env=safe, cwd=folder, stdout=to, process_group=0) as job:  # noqa: S603 - our own interpreter
        try:
            return job.wait()
        except KeyboardInterrupt:
            job.send_signal(signal.SIGINT)  # the terminal's Ctrl-C does not reach its process group
            job.wait()
            raise


def _show_json(data_dir: Path, made: _Made) -> None:
    settings, pulled, pushed, differ = _state(data_dir)
    more = {"warehouse": str(settings.warehouse), "bad_on_purpose": made.bad, "repeated": made.repeated}
    show_json(status_json(pulled, pushed, differ) | more | {"seconds": round(made.seconds, 1)})


def _state(data_dir: Path) -> "tuple[Settings, dict[str, Manifest], dict[str, Outcomes], dict[str, int]]":
    settings = load_settings(_env_file=None, data_dir=data_dir, **_OF_OTHERS)
    from pipelines.push.ledger.status import differing, outcomes  # noqa: PLC0415 - keeps help fast
    from pipelines.warehouse.published import published  # noqa: PLC0415 - the same

    return settings, published(settings.warehouse), outcomes(settings), differing(settings)


def _summary(data_dir: Path, made: _Made) -> None:
    settings, pulled, pushed, _ = _state(data_dir)
    out.print("\n[bold]In the warehouse[/]")
    show_pulled(pulled)
    out.print("\n[bold]Imported[/]")
    show_pushed(pushed)
    out.print(
        f"({plural(made.bad, 'row')} of the export {form(made.bad, 'is', 'are')} bad on purpose, "
        f"{plural(made.repeated, 'stands', 'stand')} in it twice.)"
    )
    out.print("The warehouse is as of the pull, before the push: the next pull brings what was imported.")
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    out.print(f"\nDone in {made.seconds:.0f} s. The warehouse: {settings.warehouse}. Try:\n", markup=False)
    out.print(
        f"{python} -c \"import duckdb; print(duckdb.connect({str(settings.warehouse)!r}, read_only=True).sql('''",
        markup=False,
    )
    out.print(f"{_QUERY}\n'''))\"\n", markup=False)
    where = "" if data_dir == Path("demo") else f" --data-dir {data_dir}"
    out.print(
        f"{python.parent / 'trackly-sync'} demo --ui{where}  # Dagster's pages on this, with its account",
        markup=False,
    )
    out.print(f"TRACKLY_DATA_DIR={data_dir} {python.parent / 'trackly-sync'} status", markup=False)
    out.print(
        f"TRACKLY_DATA_DIR={data_dir} {python.parent / 'trackly-sync'} report  # a page to look at",
        markup=False,
    )
