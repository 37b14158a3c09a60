"""A model of any kind, as something that is called with a list of tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Mapping, NamedTuple, Sequence

import torch

from .types import Port


class Program(NamedTuple):
    """`call` takes tensors in the order of `inputs`, and gives whatever the model gives."""

    call: Callable[[Sequence[torch.Tensor]], object]
    inputs: tuple[Port, ...]
    # What it gives where the file says it; None: a run shows it.
    outputs: tuple[Port, ...] | None
    # Inputs that came with the file.
    samples: list[torch.Tensor] | None
    platform: str
    # Which kind of model it is, in words.
    kind: str
    parameter_count: int
    weight_bytes: int
    files: list[Path]
    # Where the file says itself what it takes and gives, how to get batching.
    batching_hint: str
    are_sizes_claimed: bool
    # Names that no output has: in a translated program, the inputs' own.
    taken: tuple[str, ...] = ()
    # What is called, where it is a module of Python code, and the arguments that are the same in every call.
    module: torch.nn.Module | None = None
    constants: Mapping[str, object] = {}
    # What is called, where it is a TorchScript program.
    script: torch.jit.ScriptModule | None = None
    # What floats are calculated in, where that is not what callers give and get.
    half: torch.dtype | None = None


def weights_of(module: torch.nn.Module) -> tuple[int, int]:
    """How many parameters it has, and how many bytes they and its buffers take."""
    seen: dict[int, torch.Tensor] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    parameters = {id(parameter): parameter for parameter in module.parameters()}
    count = sum(parameter.numel() for parameter in parameters.values())
    return count, sum(tensor.numel() * tensor.element_size() for tensor in seen.values())
