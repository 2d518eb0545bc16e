"""Revenue that a person said to be absent, or there: looked for from then on, and in doubt where readings differ."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from beginnings import Beginning, beginning
from late_sales import empty_account, events, once, open_alarms, sales_of, store, write_history
from oracle import restore_key

from pipelines.cli.app import app
from pipelines.errors import AccessError
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.outcomes import Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import push
from pipelines.sandbox import API_KEY, Account, Fault, Server, running
from pipelines.settings import Settings

BOTH, REVENUE = ["sends", "revenue"], ["revenue"]


@pytest.fixture(scope="session")
def _six_lost(
    tmp_path_factory: pytest.TempPathFactory, settings_of: Callable[..., Settings], _sends_to_forty: Beginning
) -> Beginning:
    def make(folder: Path) -> Account:
        account = empty_account()
        with running(account) as server:
            settings = settings_of(server.url, folder / "data")
            _sends_to_forty.restore(account, settings)
            write_history(account, settings.history, 6, ["5", "7.25"])
            server.faults.active.append(Fault("reset-before", path="history/revenue", times=1))
            push(settings, REVENUE, wait=False)
        return account

    return beginning(tmp_path_factory, "six-sales-lost", make)


@pytest.fixture
def six_lost(account: Account, settings: Settings, _six_lost: Beginning) -> Counter[str]:
    """Six sales are in doubt, and a reading after their call does not show them; how often each is to be there."""
    _six_lost.restore(account, settings)
    return Counter(f"m{n:06}" for n in range(6))


def test_what_a_person_called_absent_after_the_ledger_was_lost_is_an_alarm_too(
    account: Account, settings: Settings, six_lost: Counter[str]
) -> None:
    """The call lands after its rows were sent again; the archive is lost too, and their sends say whose they are."""
    (settings.data_dir / "ledger.db").unlink()
    shutil.rmtree(settings.parquet_dir / "imports")
    adopt(settings)
    lost = [doubt.identity for doubt in in_doubt(settings)]
    assert len(lost) == 6
    resolve(settings, lost, Outcome.PENDING, "not in the account")
    assert push(settings, BOTH).unsettled.alarms == 0
    assert events(account) == six_lost
    store(settings, sales_of(settings))
    assert push(settings, BOTH).unsettled.alarms == 1
    (alarm,) = open_alarms(settings)
    assert (alarm.rows, alarm.sent_again, events(account)) == (6, 6, six_lost + six_lost)


def test_what_landed_before_a_person_called_it_absent_is_not_sent_again(
    account: Account, settings: Settings, six_lost: Counter[str]
) -> None:
    """A reading did not show it, so it is looked for from then on, not from the first reading after the decision.

    Two of the six landed; the others are sent. How late they were is not known: calls are given no longer for that.
    """
    lost = [doubt.identity for doubt in in_doubt(settings)]
    store(settings, sales_of(settings)[1:3])
    resolve(settings, lost, Outcome.PENDING, "the evidence shows that it is not there")
    calls = len(account.log)
    report = push(settings, REVENUE)
    assert (len(lost), report.outcomes["revenue"]) == (6, Outcomes(6, accepted=6))
    assert (events(account), open_alarms(settings, every=True)) == (six_lost, [])
    assert sum(one.records or 0 for one in account.log[calls:]) == 4


@pytest.mark.usefixtures("sends_to_forty")
def test_what_a_person_says_and_a_reading_shows_otherwise_is_in_doubt_again(
    account: Account, settings: Settings, server: Server,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No reading had looked for them: two of four had landed, and all but the last are resolved as what they are not.

    One that was to be sent is there, and is not sent. Said once more, it stays, and reconciliation shows it.
    """
    for name, value in {
        "api_key": API_KEY,
        "base_url": settings.base_url,
        "data_dir": settings.data_dir,
    }.items():
        monkeypatch.setenv(f"TRACKLY_{name.upper()}", str(value))
    rows = write_history(account, settings.history, 4, ["5", "7.25", "1", "9"])
    faults = server.faults.active
    faults.extend(
        [Fault("reset-before", path="history/revenue", times=1), Fault("revoke", path="contacts", skip=1)]
    )
    with pytest.raises(AccessError):
        push(settings, REVENUE)
    faults.clear()
    restore_key(server)
    lost = [doubt.identity for doubt in sorted(in_doubt(settings), key=lambda doubt: doubt.message_id)]
    store(settings, sales_of(settings)[:2])
    said = (
        (Outcome.REJECTED, [lost[0], lost[3]]),
        (Outcome.PENDING, [lost[1]]),
        (Outcome.ACCEPTED, [lost[2]]),
    )
    for outcome, identities in said:
        resolve(settings, identities, outcome, "seen so in the account")
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(4, accepted=1, in_doubt=2, rejected=1)
    assert events(account) == once(rows[:2])
    assert [(doubt.identity, doubt.code) for doubt in in_doubt(settings)] == sorted(
        (lost[n], "contradicted") for n in (0, 2)
    )
    firing = {
        condition.name for judge in push_conditions for condition in judge(settings) if condition.firing
    }
    assert firing == {"in_doubt:revenue", "by_hand:revenue"}
    with pytest.raises(SystemExit):
        app(["reconcile"])
    assert "2 rows of revenue are in doubt" in "".join(capsys.readouterr())

    resolve(settings, [lost[0], lost[2]], Outcome.REJECTED, "still said so")
    assert push(settings, REVENUE).outcomes["revenue"] == Outcomes(4, accepted=1, rejected=3)
    assert reconcile(settings).findings["more"] == 2  # revenue and conversions of the one that is there
