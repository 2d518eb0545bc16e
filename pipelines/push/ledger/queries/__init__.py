"""What is asked of the ledger, by subject. The verbs that move rows are in `ledger.ledger`."""
