"""Indices before the beginning and past the end: one element of every integer input, the others as in the example."""

from collections.abc import Iterator

import numpy as np
import torch

from edges.subject import Subject


def inputs(subject: Subject, rng: np.random.Generator) -> Iterator[tuple[str, list[torch.Tensor]]]:
    sizes = {size for tensor in subject.example for size in tensor.shape}
    for i, tensor in enumerate(subject.example):
        if tensor.dtype not in (torch.int32, torch.int64) or tensor.numel() == 0:
            continue
        edges = {-1, -100, 2**31 - 1, -(2**31)} | {edge for size in sizes for edge in (size - 1, size, -size, -size - 1)}
        for value in sorted(edges):
            changed = tensor.clone()
            changed.reshape(-1)[int(rng.integers(tensor.numel()))] = value
            yield f"{i}={value}", [changed if k == i else t for k, t in enumerate(subject.example)]
