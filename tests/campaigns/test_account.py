"""An account that is pulled: what it counts itself is what our SQL counts, and lint finds what is wrong with it."""

import random
from pathlib import Path

from campaigns.audience_oracle import some_filter
from oracle import reading

from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, running, seed_account
from pipelines.sandbox.campaigns.audiences import size_of
from pipelines.settings import load_settings


def test_the_accounts_own_sizes_are_between_our_counts(tmp_path: Path) -> None:
    """The sandbox evaluates filters row by row, by code of its own; never clicked is long ago there, or unknown."""
    chance = random.Random(2)
    account = seed_account(contacts=300)
    for number in range(40):
        given = some_filter(chance)
        if "custom_field" not in str(given):  # which compares 5 and "5" in another way
            audience = {**account.audiences[0], "id": f"{number:024x}", "filter": given, "status": "active"}
            account.audiences.append(
                {**audience, "source_lists": chance.choice([[], [1, 2]]), "cached_size": 7}
            )
    with running(account) as server:
        settings = load_settings(api_key=API_KEY, base_url=server.url, data_dir=tmp_path)
        pull(settings, ["lists", "offers", "contacts", "creatives", "audiences", "schedules"], "run")
    with reading(settings.warehouse) as connection:
        query = "SELECT audience_id, people, people_wide, cached_size FROM marts.audience_counts"
        counts = {row[0]: row[1:] for row in connection.execute(query).fetchall() if row[1] is not None}
        kinds = {
            kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM marts.campaign_lint").fetchall()
        }
    audiences = {row["id"]: row for row in account.audiences}
    assert len(counts) > 10
    for name, (people, wide, cached) in counts.items():
        assert people <= size_of(account, audiences[name]) <= wide, audiences[name]["filter"]
        assert cached == audiences[name]["cached_size"]
    assert sum(people for people, _, _ in counts.values()) > 0
    assert {"more_segments", "offer_missing", "offer_paused", "offer_archived"} <= kinds
