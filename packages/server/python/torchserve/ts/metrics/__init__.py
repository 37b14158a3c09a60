"""Numbers that handlers report."""
