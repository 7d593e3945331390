"""The session room: the only one that knows all parts (under construction)."""
