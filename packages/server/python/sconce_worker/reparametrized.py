"""Weights that are calculated of others: those that torch.nn.utils.prune masks, and those of parametrizations."""

from __future__ import annotations

from typing import Iterable

import torch

_ORIGINAL, _MASK = "_orig", "_mask"
# What those of old add to a state_dict.
_OLD_NORMS = {"spectral_norm": "_u", "weight_norm": "_g"}
# Zeros that come about by themselves are no pruning.
_LEAST_SHARE = 0.1


def without_masks(state: dict[str, torch.Tensor], wanted: set[str]) -> dict[str, torch.Tensor]:
    """`state`, changed, with weights in place of what pruning keeps of them (`weight_orig`, `weight_mask`), where the model wants those: what `prune.remove` makes."""
    for name in wanted - set(state):
        if _is_masked(state, name, wanted):
            state[name] = state.pop(name + _ORIGINAL) * state.pop(name + _MASK)
    return state


def _is_masked(state: dict[str, torch.Tensor], name: str, wanted: set[str]) -> bool:
    original, mask = state.get(name + _ORIGINAL), state.get(name + _MASK)
    if original is None or mask is None or not wanted.isdisjoint({name + _ORIGINAL, name + _MASK}):
        return False
    return original.shape == mask.shape and original.dtype == mask.dtype and bool(((mask == 0) | (mask == 1)).all())


def parametrization_advice(state: Iterable[str], wanted: set[str]) -> str:
    """What to do about weights of a parametrization that the model does not have; "" where there are none."""
    lacking = [name for name in state if name not in wanted]
    if any(".parametrizations." in f".{name}" for name in lacking):
        return "take parametrizations off before the weights are saved (torch.nn.utils.parametrize.remove_parametrizations), or have the class put them on"
    norm = next((norm for norm, ends in _OLD_NORMS.items() if any(name.endswith(ends) for name in lacking)), None)
    if norm is None:
        return ""
    return f"take {norm} off before the weights are saved (torch.nn.utils.remove_{norm}), or have the class put it on"


def pruning_notes(module: torch.nn.Module) -> list[str]:
    """What whoever pruned the model should know."""
    weights = [parameter for parameter in module.parameters() if parameter.is_floating_point()]
    count = sum(weight.numel() for weight in weights)
    zeros = sum(weight.numel() - int(torch.count_nonzero(weight)) for weight in weights)
    if count == 0 or zeros < _LEAST_SHARE * count:
        return []
    return [
        f"{zeros / count:.0%} of the weights are zeros, as pruning makes them: they take as much room and time as any; rows and layers that are left out of the code do not"
    ]
