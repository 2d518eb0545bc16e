"""The versions of the ledger's tables, in order."""
