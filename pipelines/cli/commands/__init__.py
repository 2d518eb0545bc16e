"""The commands of `trackly-sync`: one module per command, named after it.

arguments ─▶ the engine ─▶ `terminal` (text, tables, JSON)

There are as many modules as commands, in one folder, so that a command is found by its name: the groups of the help
are in `app`. `rollback` has `replay` as well. What a long command prints is in a module of its own, whose name begins
with the command's: `push_dry_run`, `push_results`, `resolve_emptied`, `resolve_lists`. What does not belong here: how
commands end and which arguments they share (`shared`), and anything that another program would want to call.
"""
