"""Sizes 0, 1 and odd ones, one free dimension after the other, and all together."""

from collections.abc import Iterator

import numpy as np
import torch

from edges.subject import Subject, resized

SIZES = (0, 1, 3)


def inputs(subject: Subject, rng: np.random.Generator) -> Iterator[tuple[str, list[torch.Tensor]]]:
    symbols = subject.symbols()
    choices = [(f"{symbol}={size}", {**symbols, symbol: size}) for symbol in symbols for size in SIZES]
    if len(symbols) > 1:
        choices += [(f"all={size}", dict.fromkeys(symbols, size)) for size in SIZES]
    for label, sizes in choices:
        tensors = resized(subject, sizes, rng)
        if tensors is not None:
            yield label, tensors


def nothing_kept(subject: Subject, rng: np.random.Generator) -> Iterator[tuple[str, list[torch.Tensor]]]:
    """Masks that keep nothing, and one row."""
    for i, tensor in enumerate(subject.example):
        if tensor.dtype != torch.bool or tensor.numel() == 0:
            continue
        one = torch.zeros_like(tensor)
        one.reshape(-1)[int(rng.integers(tensor.numel()))] = True
        for label, mask in (("none", torch.zeros_like(tensor)), ("one", one)):
            yield f"{i}-{label}", [mask if k == i else t for k, t in enumerate(subject.example)]
