"""Alerts: what somebody should know of without asking, once per change, with its recovery.

`conditions` judges plain figures, `notify` records what was reported and reports what changed, `webhook` carries it.
What does not belong here: gathering figures of pushes (they are handed in), and deciding when (see `watched`).
"""
