"""Runs one PyTorch model for the server process. Standard library and PyTorch only."""
