"""The account over HTTP: the routes, the page of what it offers, the control routes, the server.

server ─▶ app ─▶ http_parts (version, body) ─▶ routes ─▶ a call;  control (faults, changes), page (what there is)

What does not belong here: what a call does (`contacts`, `campaigns`, `messages`), and faults (`faults`).
"""
