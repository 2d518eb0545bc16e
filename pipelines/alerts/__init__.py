"""Alerts: problems that a person should learn of without asking, one message per change, also when they end.

a pull or push has ended ─▶ after_run ─▶ conditions (plain figures) ─▶ notify (what changed) ─▶ webhook

What does not belong here: collecting figures of pushes, which are passed in, and metrics (`pipelines.metrics`).
"""
