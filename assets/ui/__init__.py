"""Dagster's UI as a deployment serves it: its processes, its pages, and who may see them.

serve ─▶ child_program (ends with its parent) ─▶ webserver ─▶ guard, socket_owner

What does not belong here: what the pages show, and the command that starts this (`pipelines.cli.commands.ui`).
"""
