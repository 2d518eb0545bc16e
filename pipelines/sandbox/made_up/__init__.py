"""Made-up accounts, how they change while they are read, and the history of another platform.

account ─▶ campaigns (what it sends) ─▶ drift (changes while it is read);  history (files to push)

What does not belong here: what the API does with rows (`contacts`, `campaigns`, `messages`).
"""
