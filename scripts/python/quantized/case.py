"""What a case of the quantized sweep is, and the values that it is asked about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  (registers torch.ops.quantized_decomposed)
from torch import nn

INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32)
NARROW = (torch.int8, torch.uint8)
SCALES = (0.5, 0.037, 1.0 / 3)


class Call(nn.Module):
    """An op on its inputs, with tensors that the program keeps."""

    def __init__(self, function: Callable, **kept: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        for name, tensor in kept.items():
            self.register_buffer(name, tensor)

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.function(*inputs, **dict(self.named_buffers()))


@dataclass
class Case:
    module: nn.Module
    runs: list[tuple[torch.Tensor, ...]]
    """How far each result may be from PyTorch's; the last one stands for all that follow."""
    within: tuple[float, ...] = (0.0,)
    dynamic: object = None
    """Results whose values PyTorch leaves open."""
    open: tuple[int, ...] = field(default_factory=tuple)


def bounds(dtype: torch.dtype) -> tuple[int, int]:
    info = torch.iinfo(dtype)
    return info.min, info.max


def ranges(dtype: torch.dtype) -> Iterator[tuple[int, int]]:
    """The whole range of a dtype, and narrower ones."""
    low, high = bounds(dtype)
    yield low, high
    yield (low + 1, high) if low < 0 else (0, high // 2)
    if low < 0:
        yield -8, 7


def zeros(dtype: torch.dtype) -> tuple[int, ...]:
    return (0, 3, -128) if dtype == torch.int8 else (0, 3, 255) if dtype in (torch.uint8, torch.uint16) else (0, -7)


def numbers(scale: float, dtype: torch.dtype, rng: torch.Generator, finite: bool = False) -> torch.Tensor:
    """Codes times the scale, the middles between them, their neighbours, numbers past both ends, and what is no number."""
    low, high = bounds(dtype)
    whole = torch.tensor([low, low + 1, high, high - 1, *range(-6, 7)], dtype=torch.float32)
    middles = whole + 0.5
    exact = torch.cat([whole, middles]) * scale
    near = torch.cat([torch.nextafter(exact, torch.tensor(float("inf"))), torch.nextafter(exact, torch.tensor(float("-inf")))])
    spread = (torch.rand(64, generator=rng) - 0.5) * 1.5 * (high - low) * scale
    fine = torch.randn(64, generator=rng) * 5 * scale
    ends = torch.tensor([0.0, -0.0, 1e-38, -1e-38, 1e-45, 1e9, -1e9, 1e30, -1e30, 3.4e38, -3.4e38])
    strange = torch.tensor([float("inf"), float("-inf"), float("nan")])
    return torch.cat([exact, near, spread, fine, ends] + ([] if finite else [strange]))


def codes(dtype: torch.dtype, *shape: int, rng: torch.Generator) -> torch.Tensor:
    low, high = bounds(dtype)
    values = torch.randint(low, high + 1, shape, generator=rng, dtype=torch.int64)
    flat = values.reshape(-1)
    for i, edge in enumerate((low, high, 0, low + 1)):
        if i < flat.numel():
            flat[i] = edge
    return values.to(dtype)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
