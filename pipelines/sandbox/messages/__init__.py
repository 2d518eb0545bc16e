"""Messages, live and imported, what they earn, and the events that they bring."""
