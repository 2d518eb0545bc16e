"""The report of an account that has been pulled and pushed: its figures are the warehouse's and the account's."""

import base64
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from browsing import CHROMIUM, browsing
from oracle import key_of, query
from report_pages import Page, report
from serving import wait_for

from pipelines.pull.run import pull
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.run import push
from pipelines.report.amounts import money
from pipelines.report.write import write_report
from pipelines.runs.recording import records
from pipelines.sandbox import API_KEY, Account, parse_fault, running, seed_account, write_history
from pipelines.settings import Settings, load_settings
from schemas.registry import PULLED, PUSHED

BEFORE = "before.html"
"""The report between a push and the pull after it."""


def _refuse(entity: str, row: dict[str, Any]) -> tuple[str, str] | None:
    """A code that is not documented: of those that are the vendor's own text is not kept."""
    if entity == "sends" and row["id"].endswith("7"):
        return "number_refused", f"The number {row['to_number']} is <b>not</b> valid"
    return None


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A year in an hour: pulls with bad rows and changes in between, a push with refusals, a run that failed."""
    account = seed_account(contacts=1_200)
    account.lists[0]["list_name"] = "<script>alert(1)</script>"
    account.lists[1]["list_name"], account.offers[0]["name"] = "🎉" + "x" * 120, "ع" * 90
    for place, row in enumerate(account.contacts()[:9]):
        account.add_contact(row | {"signup_date": "yesterday"} if place < 3 else row | {"carrier": 17})
    with running(account) as server:
        data = tmp_path_factory.mktemp("report") / "data"
        settings = load_settings(api_key=API_KEY, base_url=server.url, data_dir=data, settle_seconds=0.0)
        write_history(account, settings.history, sends=300)
        account.refuse = _refuse
        pull(settings, list(PULLED), "run-1")
        push(settings, list(PUSHED))
        reconcile(settings)
        write_report(settings, settings.data_dir / BEFORE, ())
        account.remove_contact(key_of(account.contacts()[-1]))
        pull(settings, ["contacts", "lists", "revenue"], "run-2")
        server.faults.active.append(parse_fault("revoke"))
        with pytest.raises(Exception, match="401"):
            pull(settings, ["lists"], "run-3")
        yield account, settings, report(settings, "lists is <old>. Run: trackly-sync pull")


def test_figures_are_those_of_the_warehouse(moved: tuple[Account, Settings, Page]) -> None:
    """Rows of datasets, outcomes, reasons and lists stand in the page as the warehouse has them."""
    account, settings, page = moved
    assert 'id="state"' not in page.text, "pulled and pushed: nothing is missing"

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return query(settings.warehouse, sql)

    fresh = {row[0]: row for row in page.rows["freshness"][1:]}
    for name in PULLED:
        ((published, quarantined),) = rows(
            f"SELECT (SELECT count(*) FROM {name}), (SELECT count(*) FROM quarantine.{name})"
        )
        assert fresh[name][2:5] == [f"{published:,}", str(quarantined), "exact"], name
        assert fresh[name][6] == ("failed" if name == "lists" else "succeeded")
    found = {
        (name, outcome): number
        for name, outcome, number in rows(
            "SELECT dataset, outcome, count(*) FROM imports.records WHERE in_input GROUP BY ALL"
        )
    }
    outcomes = {row[0]: row[1:] for row in page.rows["imports"] if len(row) == 4}
    for place, name in enumerate(PUSHED):
        for outcome in ("accepted", "rejected", "quarantined", "parked", "in_doubt", "pending"):
            assert outcomes[outcome.replace("_", " ")][place] == f"{found.get((name, outcome), 0):,}"
    assert found["sends", "rejected"] == 30
    left_out = [row for row in page.rows["imports"] if row[1:4:2] == ["rejected", "number_refused"]]
    assert left_out == [
        ["sends", "rejected", "30", "number_refused", "The number [phone] is <b>not</b> valid"]
    ]
    assert ["sends", "quarantined", "1", "-", "to_number: must be E.164"] in page.rows["imports"]
    assert sum(int(row[2]) for row in page.rows["imports"] if len(row) == 5 and row[2].isdigit()) == sum(
        number for (_, outcome), number in found.items() if outcome not in ("accepted", "duplicate")
    )
    assert page.rows["quarantine"][1:] == [
        ["contacts", "6", "carrier: expected str | null, got int"],
        ["contacts", "3", "signup_date: not an ISO 8601 time"],
    ]
    lists = {row[0]: row for row in page.rows["lists"][1:]}
    for name, contacts, revenue in rows("SELECT list_name, contacts, revenue FROM marts.list_health"):
        (row,) = [cells for title, cells in lists.items() if title.startswith(name)]
        assert (row[1], row[8]) == (f"{contacts:,}", f"{revenue:,.2f}")
    assert f"{len(account.contacts()) - 9:,}</b> contacts" in page.text


def test_the_page_says_that_imports_are_newer_than_the_pull(moved: tuple[Account, Settings, Page]) -> None:
    """What the account accepted since is not in its figures; with the next pull it is, and the line is gone."""
    _, settings, page = moved
    before = re.sub(r"<wbr>|<[/b]+>", "", (settings.data_dir / BEFORE).read_text(encoding="utf-8"))
    ((rows, imported, opening, all_of_it),) = query(
        settings.warehouse,
        "SELECT count(*), sum(revenue), (SELECT sum(revenue) FROM marts.revenue_daily WHERE basis = 'opening'),"
        " (SELECT sum(revenue_total) FROM contacts) FROM imports.records WHERE outcome = 'accepted'",
    )
    assert f"{opening:,.2f} revenue<small>account currency, in the account at the pull of " in before
    assert f"; {imported:,.2f} imported since</small>" in before
    assert f"The account accepted {rows:,} rows, among them {imported:,.2f} of revenue, after the" in before
    assert before.count(f"without the {rows:,} rows imported since.") == 2, "lists and cohorts"
    assert f"{all_of_it:,.2f}</b> revenue<small>" in page.text.replace("<wbr>", "")
    assert all_of_it > opening
    assert "newer than the pull" not in page.text
    assert "imported since" not in page.text


def test_charts_add_up(moved: tuple[Account, Settings, Page]) -> None:
    """What is written at the bars and dots adds up to the warehouse, and each chart has a name."""
    _, settings, page = moved
    ((revenue,),) = query(
        settings.warehouse,
        "SELECT sum(revenue)::DOUBLE FROM imports.records WHERE dataset = 'revenue' AND outcome = 'accepted'",
    )
    assert page.drawn("Imported revenue, by when it was earned, by day", "earned") == pytest.approx(revenue)
    ((seen,),) = query(
        settings.warehouse, "SELECT sum(revenue)::DOUBLE FROM marts.revenue_daily WHERE basis = 'change'"
    )
    changes = "Revenue, by when a pull saw contacts' totals change, by day"
    assert page.drawn(changes, "earned") == pytest.approx(seen)
    assert not [text for texts in page.charts.values() for text in texts if ": " not in text]
    assert page.drawn("Sends of the current input, by day of the event", "rejected") == 30
    assert page.drawn("Contacts that joined and went, by month", "joined") == 1_190 + 1
    assert page.drawn("Contacts that joined and went, by month", "gone") == -1
    assert (
        page.drawn("Contacts on the largest lists", "not active")
        == query(settings.warehouse, "SELECT count(*) FILTER (WHERE NOT active) FROM contacts")[0][0]
    )
    dots = page.charts["Rows of contacts"]
    assert [text.rpartition(": ")[2] for text in dots if ", " not in text and ":" in text][-1] == "1,190"


def test_runs_and_notes_stand_in_the_page(moved: tuple[Account, Settings, Page]) -> None:
    """A run that failed is there with its error and remedy, though no publish followed; notes are text, not HTML."""
    _, _, page = moved
    runs = page.rows["runs"][1:]
    assert [row[1] for row in runs][:2] == ["failed", "succeeded"]
    assert "401" in runs[0][2]
    assert "TRACKLY_API_KEY" in runs[0][2]
    assert "lists is &lt;old&gt;. Run" in page.text
    assert len(runs) == 5


def test_the_page_loads_nothing_and_names_nobody(moved: tuple[Account, Settings, Page]) -> None:
    """No reference leads out of the page, no script runs, and no number, message, identity or key is in it."""
    account, settings, page = moved
    parts = "freshness revenue offers lists cohorts campaigns imports quarantine runs"
    assert page.references == [f"#{part}" for part in parts.split()]
    assert not re.search(r"url\(|@import|javascript:", page.text)
    assert set(re.findall(r"https?:[^\s\"'<]*", page.text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & set(page.tags)
    assert "&lt;script&gt;" in page.text
    # one in fifty begins with digits only, and the page shows how it begins
    ids = "|".join(f"{record.run}|{record.run[:8]}" for record in records(settings.data_dir))
    assert not re.search(r"\d{7,}", re.sub(rf"<svg.*?</svg>|{ids}", "", page.text, flags=re.DOTALL))
    for contact in account.contacts():
        assert contact["phone_number"][1:] not in page.text
    for secret in (API_KEY, "Deal no.", "old-0000", "sale-", "Chloé"):
        assert secret not in page.text, secret
    assert str(settings.data_dir) not in page.text, "nor the machine"


def test_amounts_are_in_money_and_name_their_unit(moved: tuple[Account, Settings, Page]) -> None:
    """Revenue is an amount wherever it stands, also among imports, and each chart tells its unit."""
    _, settings, page = moved
    ((accepted,),) = query(
        settings.warehouse,
        "SELECT sum(revenue)::DOUBLE FROM imports.records WHERE dataset = 'revenue' AND outcome = 'accepted'",
    )
    assert page.drawn("Revenue of the current input, by day of the event", "accepted") == pytest.approx(
        accepted
    )
    assert ["accepted", f"{accepted:,.2f}"] in page.rows["imports"]
    units = re.findall(r"<figcaption>(.*?) <small>\((.*?)\)</small>", page.text)
    assert len(units) == len(page.charts)
    for name, unit in units:
        assert unit.startswith("account currency") == (
            "revenue" in name.lower() and not name.startswith("Rows")
        )


def test_a_page_in_yen_names_it_and_has_no_decimals(moved: tuple[Account, Settings, Page]) -> None:
    """No amount has decimals, at charts neither."""
    _, settings, _ = moved
    page = report(settings.model_copy(update={"currency": "JPY"}))
    assert "Revenue (JPY)" in page.text
    ((revenue,),) = query(settings.warehouse, "SELECT sum(revenue) FROM revenue")
    assert f"<b>{revenue:,.0f}</b> revenue<small>JPY" in page.text.replace("<wbr>", "")
    earned = page.charts["Imported revenue, by when it was earned, by day"]
    assert any(text.endswith(" earned") for text in earned)
    assert not [text for text in earned if re.search(r"\.\d+ earned", text)]


def test_offers_cohorts_and_campaigns(moved: tuple[Account, Settings, Page]) -> None:
    """They are those of the marts: each offer with its revenue, each sign-up month, each kind of finding."""
    _, settings, page = moved

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return query(settings.warehouse, sql)

    offers = {row[0].split(" active")[0]: row for row in page.rows["offers"][1:]}
    for name, revenue in rows("SELECT offer_name, revenue FROM marts.offer_performance WHERE revenue > 0"):
        (row,) = [cells for title, cells in offers.items() if title.startswith(name)]
        assert row[3] == f"{revenue:,.2f}"
    shown = "SELECT month, contacts, clicked_share FROM marts.engagement_cohorts WHERE contacts > 0"
    for month, contacts, clicked in rows(shown):
        row = [f"{month:%b %Y}", f"{contacts:,}", f"{clicked:.1%}"]
        assert row in [[*cells[:2], cells[3]] for cells in page.rows["cohorts"]]
    found = [(row[1], row[0].replace(" ", "_"), int(row[2])) for row in page.rows["campaigns"][1:]]
    lint = "SELECT severity, kind, count(*) FROM marts.campaign_lint GROUP BY ALL"
    assert sorted(found) == sorted(rows(lint))
    assert found


@pytest.mark.parametrize(
    ("currency", "amount", "shown", "each"),
    [
        (None, Decimal("1234.5678"), "1,234.57", "1,234.568"),
        ("JPY", Decimal("1234.5678"), "1,235", "1,234.6"),
        ("KWD", Decimal("1234.5678"), "1,234.568", "1,234.5678"),
        ("CLF", Decimal("-1.23456"), "-1.2346", "-1.23456"),
        ("ZZZ", Decimal("-0.001"), "0.00", "-0.001"),
        ("USD", Decimal("12345678901234567.89"), "12,345,678,901,234,567.89", "12,345,678,901,234,567.890"),
        ("JPY", 0, "0", "0.0"),
        ("EUR", None, "-", "-"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(
    currency: str | None, amount: Decimal | None, shown: str, each: str
) -> None:
    """As ISO 4217 says, two where the code is unknown; never minus nought."""
    unit = money(currency)
    assert (unit.shown(amount), unit.shown_each(amount)) == (shown, each)


@pytest.mark.skipif(not CHROMIUM, reason="a browser is needed")
def test_the_page_fits_a_narrow_phone_and_paper(
    moved: tuple[Account, Settings, Page], tmp_path: Path
) -> None:
    """On no screen anything reaches beyond it, whatever a name, and a figure breaks; on paper pages are filled."""
    _, _, page = moved
    (tmp_path / "page.html").write_text(page.text, encoding="utf-8")
    with browsing(tmp_path / "browser") as browser:
        browser.do(
            "Emulation.setDeviceMetricsOverride", width=320, height=900, deviceScaleFactor=1, mobile=True
        )
        browser.open((tmp_path / "page.html").as_uri())
        wait_for(
            lambda: browser.value("document.readyState") == "complete" and browser.value("!!document.body")
        )
        wait_for(lambda: browser.value("document.querySelectorAll('section').length > 5"))
        beyond = (
            "[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > 321).length"
        )
        assert browser.value(beyond) == 0
        wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
        assert browser.value(wide) == 0
        for width in (400, 641, 700, 770, 870):
            browser.do(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=900,
                deviceScaleFactor=1,
                mobile=False,
            )
            assert browser.value("document.documentElement.scrollWidth") <= width
            heights = browser.value("[...document.querySelectorAll('.tiles b')].map(e => e.offsetHeight)")
            assert max(heights) <= 30, width
        # the paper between A4's margins
        browser.do("Emulation.setEmulatedMedia", media="print")
        browser.do(
            "Emulation.setDeviceMetricsOverride", width=703, height=1032, deviceScaleFactor=1, mobile=False
        )
        assert browser.value("document.documentElement.scrollWidth") <= 703
        needed = browser.value("document.documentElement.scrollHeight") / 1032
        printed = base64.b64decode(browser.do("Page.printToPDF", preferCSSPageSize=True)["data"])
        assert 1 < needed < len(re.findall(rb"/Type /Page\b", printed)) < needed * 1.2 + 1
