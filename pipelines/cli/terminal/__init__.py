"""The terminal: how text, tables, JSON, help and progress are shown.

a result ─▶ results, row_stream ─▶ width ─▶ consoles (standard output; the rest on standard error) ─▶ streams

What does not belong here: the content, which each command decides (`commands`).
"""
