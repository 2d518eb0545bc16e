"""The receiver of Trackly's events: what it answers, where events wait, and how they become rows.

`receive` answers requests, `writer` makes them durable in the `store`, `serve` runs both, `events` reads bodies.
The room knows nothing of the warehouse: `pipelines.warehouse.webhook_events` takes rows from here.
"""
