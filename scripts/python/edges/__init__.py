"""Kinds of inputs at the edge of what a program takes; one file per kind.

A kind is a function of a subject and a random generator that yields `(label, tensors)`. PyTorch's own program gives the answer to each, or
raises: both are what Sconce is compared with.
"""

from edges import indices, sizes
from edges.subject import Endless, Subject, answer, subjects_of

KINDS = {"sizes": sizes.inputs, "nothing": sizes.nothing_kept, "indices": indices.inputs}

__all__ = ["KINDS", "Endless", "Subject", "answer", "subjects_of"]
