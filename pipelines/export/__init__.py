"""The warehouse's declarations for other tools: a dbt project. Nothing of the data is read."""
