"""The queue of events on disk, with every event that was answered with 2xx.

writer (many events, one commit) ─▶ store ─▶ tables (SQLite or PostgreSQL)
state: figures for commands that must start fast

What does not belong here: requests (`webhooks.receive`), and the contents of bodies (`webhooks.events`).
"""
