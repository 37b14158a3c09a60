"""What handlers wrap themselves in."""
