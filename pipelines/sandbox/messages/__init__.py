"""Messages, live and imported, with their revenue and events.

a call ─▶ send (live), imports (history), revenue ─▶ the account's rows and events;  clear_history removes them

What does not belong here: sending events (`sandbox.webhooks`).
"""
