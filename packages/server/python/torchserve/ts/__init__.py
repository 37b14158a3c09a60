"""What TorchServe's handlers import, written for Sconce from the documented contract. The version is that whose contract it is."""

__version__ = "0.12.0"
