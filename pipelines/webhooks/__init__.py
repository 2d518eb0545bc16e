"""The receiver of Trackly's events: what it answers, where events wait, and how they become rows.

a request ─▶ receive ─▶ signature ─▶ queue (on the disk, then the answer) ─▶ events (rows), masking; serve runs it all

`pruning` lets old bodies go; `captured_request` reads a request that somebody has captured. What does not belong
here: the table of events; the room knows nothing of the warehouse, and `pipelines.warehouse.webhook_events` takes
rows from here.
"""
