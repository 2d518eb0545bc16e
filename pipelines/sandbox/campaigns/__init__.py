"""Parts of campaigns: offers, creatives, audiences, schedules.

a call ─▶ offers, creatives, audiences (filters, matching), schedules, links ─▶ the account's rows

What does not belong here: sending them, which the sandbox never does, and live messages (`messages`).
"""
