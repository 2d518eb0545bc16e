"""An account with hundreds of creatives, audiences and schedules, and a warehouse of it; made once, and only read."""

import random

import pytest
from campaigns.expected import PRICE, ZONE, Reached, World, is_counted, narrowed, people_of
from campaigns.made_campaigns import some_account, warehouse_of

from pipelines.settings import load_settings


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    settings = load_settings(
        data_dir=tmp_path_factory.mktemp("campaigns"), account_timezone=ZONE, price_per_segment=PRICE
    )
    account = some_account(random.Random(5))
    warehouse_of(settings, account)
    return account, settings


@pytest.fixture(scope="session")
def reached(world: World) -> Reached:
    """By schedule that is on and audience: the narrowed audience and, where it can be counted, who is reached."""
    account, _ = world
    audiences = {one["id"]: one for one in account["audiences"]}
    people: dict[str, tuple[set[str], int]] = {}
    found = {}
    for one in account["schedules"]:
        for name in set(one["audiences"]) if one["status"] == "on" else ():
            audience = audiences.get(name)
            row = narrowed(audience, one) if audience else None
            is_known = row and row["status"] != "archived" and (row["source_lists"] == [0] or is_counted(row))
            if row and is_known and (key := f"{name} {row['source_lists']}") not in people:
                wide = people_of(row, account["contacts"], wide=True)
                people[key] = people_of(row, account["contacts"]), len(wide)
            who, most = people[f"{name} {row['source_lists']}"] if row and is_known else (None, None)
            lists = row["source_lists"] if row else (one["source_lists"] or [])
            is_narrowed = bool(one["source_lists"]) and (
                not (audience and audience["source_lists"]) or set(lists) < set(audience["source_lists"])
                or lists == [0]
            )  # fmt: skip
            found[one["id"], name] = {"lists": lists, "people": who, "most": most, "narrowed": is_narrowed}
    return found
