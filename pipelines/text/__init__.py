"""Text for people and machines: escaping text from outside, addresses, and figures as text.

text from outside ─▶ sanitize ─▶ terminal, pages, alerts, JSON, CSV; urls (addresses); humanize (durations, counts)

What does not belong here: the messages themselves, which stand where they are raised.
"""
