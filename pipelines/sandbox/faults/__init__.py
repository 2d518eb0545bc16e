"""Faults on demand, and their effects.

kinds (which requests they strike) ─▶ apply, flaws (change a reply) ─▶ replies, abort (how it is sent)

What does not belong here: good replies (`contacts`, `campaigns`, `messages`).
"""
