"""The account over HTTP: the routes, the index page of what it offers, the control routes, the server.

server ─▶ app ─▶ http_parts (version, body) ─▶ routes ─▶ a call;  control (faults, changes), index_page

What does not belong here: what a call does (`contacts`, `campaigns`, `messages`), and faults (`faults`).
"""
