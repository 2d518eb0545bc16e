"""Makes up accounts, changes during reads, and the history of another platform.

account ─▶ campaigns ─▶ drift (changes while it is read);  history (files to push)

What does not belong here: the API's operations on rows (`contacts`, `campaigns`, `messages`).
"""
