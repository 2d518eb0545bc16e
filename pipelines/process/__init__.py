"""This process and those that it starts: interrupts, work side by side, programs of ours, exit codes.

a signal ─▶ interrupts ─▶ concurrent (the work stops) ─▶ exit_codes; subprocesses (modules of ours, started safely)

What does not belong here: what the work is, and how a command ends (`cli.shared.exits`).
"""
