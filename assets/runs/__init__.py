"""Runs of jobs: in this process, who started them, which wait, how far they are, and how errors end them.

in_process ─▶ a job ─▶ engine_calls ─▶ progress (steps and the first error)

What does not belong here: which jobs there are (`assets.jobs`), and records of what the command line did (`records`).
"""
