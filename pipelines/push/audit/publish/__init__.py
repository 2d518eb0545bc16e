"""The tables of pushes in the warehouse (schema `imports`), and whether they show what the ledger has.

    publish ─▶ records (the largest table);  differences (of a reconciliation);  decided (after a decision)
    behind (the warehouse shows less than the ledger) ─▶ lost_warehouse (a pull publishes)

What does not belong here: replacing the file (`pipelines.warehouse.swap`), and the records that survive a lost ledger
(`audit.lost_ledger`).
"""
