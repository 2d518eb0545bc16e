"""This process and its child processes: interrupts, concurrent work, signs of life, our programs, exit codes.

a signal ─▶ interrupts ─▶ concurrent (the work stops) ─▶ exit_codes; subprocesses (modules of ours, started safely)

`heartbeat` shows that the process lives, `garbage` sets how often Python collects garbage. What does not belong here:
the work itself, and how a command ends (`cli.shared.exits`).
"""
