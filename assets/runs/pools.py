"""Dagster's pools, which make runs wait for each other, with a limit for each before the first run is queued.

What must not go in: the limit and its granularity, which are in dagster.yaml.
"""

import dagster as dg

PULL_POOL, PUSH_POOL, WAREHOUSE_POOL = POOLS = ("pull", "push", "warehouse")


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Give each pool that has no limit the default one.

    Dagster does this itself when it takes runs from the queue, but only after it has looked up the limits: two runs
    of one pool that wait at the first look would both start.
    """
    storage = instance.event_log_storage
    known = {pool.name for pool in storage.get_pool_limits()}
    if instance.global_op_concurrency_default_limit:
        for pool in POOLS:
            if pool not in known:
                storage.initialize_concurrency_limit_to_default(pool)
