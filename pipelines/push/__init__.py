"""Push: history rows from files, validated, in chunks, through the ledger, into the account."""
