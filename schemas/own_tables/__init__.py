"""Tables of our own: records of pulls, pushes and publishes.

sync (pulls), imports (pushes), campaigns (counts), versions and revenue_readings (history), pull_columns

What does not belong here: datasets of the account, one file each in `schemas`.
"""
