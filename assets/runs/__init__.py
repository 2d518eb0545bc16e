"""Runs of jobs: running them in this process, their starter, waiting runs, progress, and errors.

in_process ─▶ a job ─▶ engine_calls ─▶ progress (steps and the first error)

What does not belong here: which jobs there are (`assets.jobs`), and records of command-line runs (`records`).
"""
