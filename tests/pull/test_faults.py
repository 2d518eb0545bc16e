"""What an account or what lies before it answers wrongly, for a while or for good, and what a pull makes of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from oracle import assert_equal, query

from pipelines.errors import AccessError, DataError, NotFoundError, ServiceError
from pipelines.pull.run import pull
from pipelines.sandbox import Account, Server, parse_fault, running, seed_account
from pipelines.settings import Settings

READ = ("contacts", "lists", "offers")


@pytest.mark.usefixtures("contacts_pulled")
def test_too_many_bad_rows_publish_nothing(account: Account, settings: Settings) -> None:
    """Beyond the limit the pull fails, names the reasons, and the tables stay as they were."""
    before = settings.warehouse.read_bytes()
    for row in account.contacts()[:88]:
        row["send_count"] = None
    with pytest.raises(
        DataError, match=re.escape("88 of 1,100 rows (8.0%) are bad, the limit is 5.0%")
    ) as failed:
        pull(settings, ["contacts"], "r2")
    assert "send_count: expected int, got null (88)" in failed.value.message
    assert settings.warehouse.read_bytes() == before


@pytest.mark.usefixtures("contacts_pulled")
def test_the_guard_stops_a_shrinking_account(account: Account, settings: Settings) -> None:
    """When most rows are gone nothing is published, until the operator says that it is so."""
    for row in account.contacts()[100:]:
        account.remove_contact((row["phone_number"], row["list_id"]))
    with pytest.raises(DataError, match=r"1,000 of 1,100 published rows .* are not in the account any more"):
        pull(settings, ["contacts"], "r2")
    assert query(settings.warehouse, "SELECT count(*) FROM contacts") == [(1100,)]
    pull(settings, ["contacts"], "r3", allow_shrink=True)
    assert query(settings.warehouse, "SELECT count(*) FROM contacts") == [(100,)]


@pytest.mark.parametrize(
    "faults",
    [
        (
            "html,times=2,path=/contacts truncate,times=2,skip=3,path=/contacts 503,times=3,path=/lists"
            " 502,times=2,path=/offers"
        ),
        (
            "shape,times=2,path=/contacts reset-before,times=3,skip=3,path=/contacts 429,times=2,path=/lists"
            " 429,times=2,seconds=1,path=/offers"
        ),
        (
            "repeat,times=2,skip=1,path=/contacts reset-after,times=3,skip=3,path=/contacts"
            " reset-before,times=3,skip=1,path=/offers"
        ),
        "no-pages blank-times",
    ],
)
def test_passing_faults_are_survived(
    account: Account, server: Server, settings: Settings, faults: str
) -> None:
    """After any fault that passes the warehouse equals the account; each of them has struck.

    Nor is a row lost where no number of pages is claimed, or where "" is written for no time.
    """
    server.faults.active += [parse_fault(fault) for fault in faults.split()]
    made = pull(settings, READ, "r1")
    assert_equal(account, settings)
    assert {(s.manifest.consistency, s.manifest.quarantined) for s in made} == {("exact", 0)}
    for fault in server.faults.active:
        assert fault.seen > fault.skip + (fault.times or 0), fault.kind
    retries = {s.manifest.dataset: s.manifest.retries for s in made}
    for name in ("contacts", "lists", "offers"):
        assert retries[name] >= sum(f.times or 0 for f in server.faults.active if f.path == f"/{name}")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("503", ServiceError),
        ("html,path=contacts", ServiceError),
        ("repeat,path=contacts,skip=1", ServiceError),
        ("revoke,skip=3", AccessError),
    ],
)
@pytest.mark.usefixtures("pulled")
def test_lasting_faults_leave_the_tables_as_they_were(
    server: Server,
    settings: Settings,
    fault: str,
    error: type[Exception],
    settings_of: Callable[..., Settings],
) -> None:
    """A fault that stays is a clear error, and what was published before is untouched."""
    before = settings.warehouse.read_bytes()
    server.faults.active.append(parse_fault(fault))
    hasty = settings_of(settings.base_url, settings.data_dir, retry_seconds=0.5)
    with pytest.raises(error):
        pull(hasty, READ, "r2")
    assert settings.warehouse.read_bytes() == before
    assert not list(settings.parquet_dir.glob("*/.2*")), "no half snapshot stays"


@pytest.mark.parametrize("fault", ["null-rows", "no-rows"])
def test_null_or_nothing_for_no_rows_means_none(
    tmp_path: Any, settings_of: Callable[..., Settings], fault: str
) -> None:
    """An account without rows may say so by null, or leave the array out; so may an empty page at the end."""
    account = seed_account(contacts=0, lists=0, offers=0)
    with running(account) as server:
        server.faults.active.append(parse_fault(fault))
        made = pull(settings_of(server.url, tmp_path / "data"), ["contacts", "lists", "offers"], "r1")
    for manifest in (snapshot.manifest for snapshot in made):
        assert (manifest.rows, manifest.consistency, manifest.retries) == (0, "exact", 0)
    assert len(made) == 3


def test_null_where_rows_are_claimed_is_an_error(
    server: Server, settings: Settings, settings_of: Callable[..., Settings]
) -> None:
    """Null for rows that the same reply claims is tried again, and then named; nothing is published."""
    server.faults.active += [parse_fault("cut,value=500,path=/contacts"), parse_fault("null-rows")]
    hasty = settings_of(settings.base_url, settings.data_dir, retry_seconds=0.5)
    with pytest.raises(ServiceError, match="no array of rows came, and 1,100 rows are claimed"):
        pull(hasty, ["contacts"], "r1")
    assert not settings.warehouse.exists()


def test_an_endpoint_that_is_not_there_is_named(
    settings: Settings, settings_of: Callable[..., Settings]
) -> None:
    """A base URL that is not the API's says so."""
    wrong = settings_of(settings.base_url.replace("/api/v2", "/v3"), settings.data_dir)
    with pytest.raises(NotFoundError, match="TRACKLY_BASE_URL"):
        pull(wrong, ["lists"], "r1")
