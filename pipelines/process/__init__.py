"""This process and those that it starts: interrupts, work side by side, signs of life, programs of ours, exit codes.

a signal ─▶ interrupts ─▶ concurrent (the work stops) ─▶ exit_codes; subprocesses (modules of ours, started safely)

`heartbeat` shows that the process lives, `garbage` is how often Python looks for some. What does not belong here:
what the work is, and how a command ends (`cli.shared.exits`).
"""
