"""Messages, live and imported, what they earn, and the events that they bring.

a call ─▶ send (live), imports (history), revenue ─▶ the account's rows and events;  clear_history takes them away

What does not belong here: how events leave (`sandbox.webhooks`).
"""
