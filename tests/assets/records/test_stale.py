"""What Dagster calls stale, whoever made it: commands and its own runs alike."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from dagster_records import READ, Records, write_sends

from assets.records.report import report_pending
from pipelines.cli.commands.ui import dagster_home
from pipelines.pull.run import pull
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.run import push
from pipelines.report import PAGE
from pipelines.report.write import write_report
from pipelines.sandbox import API_KEY, running, seed_account
from pipelines.settings import load_settings


@pytest.fixture
def records_in_memory(tmp_path: Path) -> Iterator[Records]:
    """Records that Dagster keeps in memory: what is stale does not depend on where they are kept."""
    account = seed_account(contacts=200)
    with running(account) as server, dg.DagsterInstance.ephemeral() as instance:
        settings = load_settings(api_key=API_KEY, base_url=server.url, data_dir=tmp_path, retry_seconds=1)
        write_sends(account, settings.history, {"2024-03": 8})
        dagster_home(settings.data_dir)
        yield Records(instance, settings, account, server)


def test_what_is_stale_is_so_whoever_did_it(records_in_memory: Records) -> None:
    """Commands and Dagster's runs in turn: what was made of something that is newer by now is stale, nothing else."""
    records = records_in_memory
    settings, instance = records.settings, records.instance

    def stale() -> set[str]:
        """Without clicks and imported revenue, of which there are no files."""
        kinds = ("history", "imported")
        return records.stale() - {f"{kind}_{name}" for kind in kinds for name in ("clicks", "revenue")}

    def page() -> None:
        write_report(settings, settings.data_dir / PAGE, ())
        report_pending(instance, settings)

    def done(run: str, *steps: Callable[[str], object]) -> None:
        for step in steps:
            step(run)
        records.report(run)

    def pulled(run: str) -> None:
        pull(settings, READ, run)

    def pushed(run: str) -> None:
        push(settings, ["sends"], run=run)

    def reconciled(run: str) -> None:
        reconcile(settings, run=run)

    done("first", pulled, pushed, reconciled)
    page()
    assert stale() == set()
    number = len(records.made("report"))
    report_pending(instance, settings)
    assert len(records.made("report")) == number, "a page that is on record is not reported again"
    assert records.run("lists", "warehouse").success
    assert stale() == {"history_sends", "report"}, "a run of Dagster's makes a new version as well"
    # reported late: what was pulled after it began is not what it was made of
    pushed("late")
    done("meanwhile", partial(pull, settings, ["lists"]))
    records.report("late")
    assert stale() == {"history_sends", "reconciliation", "report"}
    # a snapshot by itself is not published, by whomever; a command publishes all that are newest
    assert records.run("contacts").success
    assert stale() == {"history_sends", "reconciliation", "report", "revenue", "warehouse"}
    pull(settings, ["lists"], "publishes both")
    records.report("publishes both")
    assert stale() == {"history_sends", "reconciliation", "report", "revenue"}
