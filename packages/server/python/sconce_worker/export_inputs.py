"""Made-up inputs for an export: sizes that the model takes, and others to compare at."""

from __future__ import annotations

from typing import Callable, Iterator, Mapping, Sequence

import torch

from .types import Dim, Port, Symbol

# torch.export takes 1 for a constant. Sizes of one choice differ, so that none equals another by chance.
_ROWS = 2
# Primes for lengths; multiples of 32 and more for images and what halves its sizes again and again; samples of a sound.
_CHOICES = ((11, 13, 17, 19, 23), (64, 96, 128, 160, 192), (224, 256, 288, 320, 352), (1600, 2000, 2400, 2800, 3200))
# From here on a size is an image's or a sound's, which other sizes follow at a distance.
_LARGE = 32
# Elements of all inputs of one trial.
_MOST_ELEMENTS = 4_000_000

Sizes = Mapping[str, int]


def choices(ports: Sequence[Port]) -> Iterator[Sizes]:
    """Sizes of the free dimensions by name, likely ones first."""
    symbols = _symbols(ports)
    are_images = any(port.dtype.is_floating_point and any(isinstance(dim, Symbol) for dim in port.dims[2:]) and len(port.dims) > 3 for port in ports)
    ordered = (*_CHOICES[1:], _CHOICES[0]) if are_images else _CHOICES
    has_sizes = any(not is_rows for _, is_rows in symbols.values())
    for wishes in ordered if has_sizes else ordered[:1]:
        yield _within(symbols, lambda at, wishes=wishes: wishes[at % len(wishes)], _ROWS)


def other_sizes(ports: Sequence[Port], chosen: Sizes) -> Iterator[Sizes]:
    """`chosen` itself, and others around it, of one row, of three and of eight."""
    symbols = _symbols(ports)
    names = list(symbols)
    is_large = any(chosen[name] >= _LARGE for name, (_, is_rows) in symbols.items() if not is_rows)
    yield chosen
    for rows, change in zip((1, 3, 1, 8) if is_large else (1, 3, 8, 1), _CHANGES):
        yield _within(symbols, lambda at, change=change: change(chosen[names[at]]), rows)


# What becomes of a size, an image's or a sound's and another one's.
_CHANGES: Sequence[Callable[[int], int]] = (
    lambda size: size,
    lambda size: size + size // 2 // _LARGE * _LARGE if size >= _LARGE else 7,
    lambda size: 2 * size if size >= _LARGE else 16,
    lambda size: max(_LARGE, size * 3 // 4 // _LARGE * _LARGE) if size >= _LARGE else 2,
)


def _symbols(ports: Sequence[Port]) -> dict[str, tuple[Symbol, bool]]:
    """By name, and whether it counts rows."""
    found: dict[str, tuple[Symbol, bool]] = {}
    for port in ports:
        for axis, dim in enumerate(port.dims):
            if isinstance(dim, Symbol):
                found.setdefault(dim.name, (dim, axis == 0))
    return found


def _within(symbols: Mapping[str, tuple[Symbol, bool]], wish: Callable[[int], int], rows: int) -> Sizes:
    return {
        name: _clamped(symbol, rows if is_rows else wish(at))
        for at, (name, (symbol, is_rows)) in enumerate(symbols.items())
    }


def _clamped(symbol: Symbol, wish: int) -> int:
    return max(symbol.min, wish if symbol.max is None else min(wish, symbol.max))


def made_inputs(ports: Sequence[Port], sizes: Sizes) -> list[torch.Tensor] | None:
    """Floats are normal, integers 0 and 1, masks 1. None: they would be too large."""
    shapes = [[_size(dim, sizes) for dim in port.dims] for port in ports]
    if sum(_count(shape) for shape in shapes) > _MOST_ELEMENTS:
        return None
    generator = torch.Generator().manual_seed(1)
    return [_filled(port, shape, generator) for port, shape in zip(ports, shapes)]


def _size(dim: Dim, sizes: Sizes) -> int:
    return dim if isinstance(dim, int) else sizes[dim.name]


def _count(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def _filled(port: Port, shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    if "mask" in port.name and not port.dtype.is_floating_point:
        return torch.ones(shape, dtype=port.dtype)
    if port.dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(port.dtype)
    return torch.randint(0, 2, shape, generator=generator).to(port.dtype)
