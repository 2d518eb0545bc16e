"""Contacts and the lists that they are on.

a call ─▶ reads, lists;  writes ─▶ validation (of phone numbers, which costs money) ─▶ the account's rows

What does not belong here: messages to contacts (`messages`), and the form of values (`requests`).
"""
