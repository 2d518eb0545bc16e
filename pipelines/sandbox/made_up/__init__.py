"""Made-up accounts, how they change while they are read, and the history of another platform."""
