"""Alerts: what somebody should be told of without asking, once per change, with its recovery.

`conditions` judges plain figures, `notify` remembers what was told and tells what changed, `webhook` carries it.
What does not belong here: gathering figures of pushes (they are handed in), and deciding when (see `watched`).
"""
