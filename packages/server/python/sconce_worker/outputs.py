"""What a model gives, as tensors with names."""

from __future__ import annotations

import dataclasses
from typing import Mapping, NamedTuple, Sequence

import torch


class Outputs(NamedTuple):
    names: list[str]
    tensors: list[torch.Tensor]


def flatten(result: object, taken: Sequence[str] = ()) -> Outputs:
    """
    Tensors in what a model gives: one, a tuple or list, a mapping such as a ModelOutput, a data class, nested. Numbers become tensors of
    no dimensions, others are left out. A name that is `taken`, by an input, gets an underscore.
    """
    found: list[tuple[str, torch.Tensor]] = []
    _collect(result, "", found)
    if len(found) == 1 and found[0][0] == "":
        found = [("output", found[0][1])]
    names: list[str] = []
    for name, _ in found:
        name = f"output{name}" if name.startswith("_") else name
        while name in taken or name in names:
            name += "_"
        names.append(name)
    return Outputs(names, [tensor for _, tensor in found])


def _collect(value: object, name: str, found: list[tuple[str, torch.Tensor]]) -> None:
    if isinstance(value, torch.Tensor):
        found.append((name, value))
    elif isinstance(value, (bool, int, float)):
        found.append((name, torch.tensor(value)))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _collect(item, f"{name}_{key}" if name else str(key), found)
    elif isinstance(value, (tuple, list)):
        keys = getattr(value, "_fields", None)
        for index, item in enumerate(value):
            word = f"_{index}" if keys is None else f"_{keys[index]}" if name else keys[index]
            _collect(item, f"{name}{word}", found)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _collect(getattr(value, field.name), f"{name}_{field.name}" if name else field.name, found)
