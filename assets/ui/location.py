"""Names of the code location on Dagster's pages. What must not go in: imports."""

LOCATION, REPOSITORY = "assets.definitions", "__repository__"
