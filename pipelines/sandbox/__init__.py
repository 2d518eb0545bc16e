"""A local Trackly account that speaks the same API; it shares no code with the client or the engine."""
