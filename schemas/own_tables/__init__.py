"""Tables that the account does not have: what pulls, pushes and publishes record of themselves.

sync (pulls), imports (pushes), campaigns (counts), versions and revenue_readings (history), pull_columns

What does not belong here: datasets that the account serves or takes, one file each in `schemas`.
"""
