"""The queue of events on disk: what was answered with 2xx is in it.

writer (many events, one commit) ─▶ store ─▶ tables (SQLite or PostgreSQL)
state: what is counted, for commands that answer at once

What does not belong here: requests (`webhooks.receive`), and what a body becomes (`webhooks.events`).
"""
