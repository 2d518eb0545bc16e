"""The receiver of Trackly's events: its answers, the queue of events, and their rows.

a request ─▶ receive ─▶ signature ─▶ queue (on the disk, then the answer) ─▶ events (rows), masking; serve runs it all

`pruning` deletes old bodies; `captured_request` reads a captured request. What does not belong here: the table of
events. This package does not use the warehouse; `pipelines.warehouse.webhook_events` takes rows from here.
"""
