"""Faults on demand, and how they are carried out."""
