"""An account in a file is served again as it was."""

from pathlib import Path

import pytest

from pipelines.sandbox import load, save, seed_account


def test_a_saved_account_is_the_same_account(tmp_path: Path) -> None:
    """Contacts in their order, what was imported, and the rest."""
    account = seed_account(contacts=50)
    account.sends["s1"] = {"id": "s1", "to_number": account.contacts()[3]["phone_number"]}
    account.remove_contact((account.contacts()[9]["phone_number"], account.contacts()[9]["list_id"]))
    save(account, tmp_path / "account.json")
    again = load(tmp_path / "account.json")
    assert again.contacts() == account.contacts()
    assert again.contact_page(10, 30) == account.contact_page(10, 30)
    for name in ("lists", "offers", "creatives", "audiences", "schedules", "sends", "clicks", "revenue"):
        assert getattr(again, name) == getattr(account, name), name
    assert again.new_revenue_id() not in {row["id"] for row in account.revenue}
    with pytest.raises(ValueError, match="line 1"):
        load(Path(__file__))
