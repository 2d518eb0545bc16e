"""Replies on their way from the client to batches: taken as pages, kept on disk, put together.

fetch ─▶ accept (`decode`: columns and keys) ─▶ spool (on disk) ─▶ batches

What does not belong here: what is asked for (`pull.read`), and how a reply becomes columns (`pull.decode`).
"""
