"""What the warehouse shows of pushes (schema `imports`), and whether that is what the ledger has.

    publish ─▶ records (its largest table);  differences (of a reconciliation);  decided (after a decision)
    behind (does it show less than the ledger) ─▶ lost_warehouse (then a pull publishes)

What does not belong here: swapping the file (`pipelines.warehouse.swap`), and what survives a lost ledger
(`audit.lost_ledger`).
"""
