"""Replies on their way from the client to batches: checked, kept on disk, combined.

fetch ─▶ accept (`decode`: columns and keys) ─▶ spool (on disk) ─▶ batches

What does not belong here: which pages are requested (`pull.read`), and how a reply becomes columns (`pull.decode`).
"""
