"""Dagster's UI for a deployment: its processes, its pages, and access to them.

serve ─▶ child_program (ends with its parent) ─▶ webserver ─▶ guard, socket_owner

What does not belong here: the contents of the pages, and the command that starts this (`pipelines.cli.commands.ui`).
"""
