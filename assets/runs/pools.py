"""Which runs wait for each other: Dagster's pools, and a limit for each before the first run is queued.

What must not go in: the limit itself and its granularity, which dagster.yaml has.
"""

import dagster as dg

PULL_POOL, PUSH_POOL, WAREHOUSE_POOL = POOLS = ("pull", "push", "warehouse")


def limit_pools(instance: dg.DagsterInstance) -> None:
    """Give each pool that has no limit the default one.

    Dagster does so itself when it takes runs from the queue, but only after it has looked up which limits there
    are: two runs of one pool that wait when it first looks would both start.
    """
    storage = instance.event_log_storage
    known = {pool.name for pool in storage.get_pool_limits()}
    if instance.global_op_concurrency_default_limit:
        for pool in POOLS:
            if pool not in known:
                storage.initialize_concurrency_limit_to_default(pool)
