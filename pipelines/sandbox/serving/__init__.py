"""Serves the account over HTTP: the routes, the index page, the control routes, the server.

server ─▶ app ─▶ http_parts (version, body) ─▶ routes ─▶ a call;  control (faults, changes), index_page

What does not belong here: the work of calls (`contacts`, `campaigns`, `messages`), and faults (`faults`).
"""
