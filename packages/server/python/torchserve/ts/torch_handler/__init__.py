"""Handlers to serve as they are, or to derive from."""
