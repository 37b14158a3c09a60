"""Small tools of handlers."""
