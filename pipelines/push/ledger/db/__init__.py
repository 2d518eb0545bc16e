"""The ledger as a database: how it is opened, its tables, and their versions. What is asked of it is in `queries`."""
