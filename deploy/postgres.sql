-- The ledger's database is made by POSTGRES_DB; Dagster's records have one of their own.
CREATE DATABASE dagster;
