"""Alerts: what somebody should know of without asking, once per change, with its recovery.

a pull or push has ended ─▶ after_run ─▶ conditions (plain figures) ─▶ notify (what changed) ─▶ webhook

What does not belong here: gathering figures of pushes, which are handed in, and metrics (`pipelines.metrics`).
"""
