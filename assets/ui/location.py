"""Under which names Dagster's pages show what is here. What must not go in: anything to import."""

LOCATION, REPOSITORY = "assets.definitions", "__repository__"
