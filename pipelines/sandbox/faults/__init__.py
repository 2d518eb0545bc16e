"""Faults on demand, and how they are carried out.

kinds (which requests they strike) ─▶ apply, flaws (what a reply becomes) ─▶ wire, abort (how it leaves)

What does not belong here: what a good reply says (`contacts`, `campaigns`, `messages`).
"""
