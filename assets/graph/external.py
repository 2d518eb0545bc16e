"""External assets: the account and the history files. They cannot be materialized.

What must not go in: reading them (`pulled`, `pushed`).
"""

import dagster as dg

GROUP = "sources"

ACCOUNT = dg.AssetSpec(
    "trackly_account",
    group_name=GROUP,
    kinds={"api"},
    description="The Trackly account, by its REST API (v2). What is pushed shows in what is pulled next.",
)
HISTORY_FILES = dg.AssetSpec(
    "history_files",
    group_name=GROUP,
    kinds={"file"},
    description="Exports of another platform, in TRACKLY_HISTORY_DIR.",
)
OUTSIDE = [ACCOUNT, HISTORY_FILES]
