"""Other forms of a model than the one its file has: other precisions, and compiled."""

from __future__ import annotations

import os
import shutil
import warnings
from typing import Callable, Mapping

import torch

from .errors import first_line, refused

_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
# What torch.compile takes where CXX names none.
_COMPILERS = ("g++", "clang++")


def half_of(precision: object) -> torch.dtype | None:
    """What floats are calculated in; None: in what the model has them."""
    return _HALVES.get(str(precision))


def in_precision(module: torch.nn.Module, precision: object, kind: str) -> tuple[torch.nn.Module, str]:
    """The module with weights of that precision, and what to add to what it is. Raises ServeError where it has no such form."""
    if precision == "float32":
        return module, ""
    half = half_of(precision)
    if half is not None:
        return module.to(half), f", in {precision}"
    if precision != "int8":
        raise refused(
            f"precision {precision} is for translated programs; PyTorch runs this model in float32, bfloat16, float16 or int8", "option_unsupported"
        )
    linears = sum(type(part) is torch.nn.Linear for part in module.modules())
    if isinstance(module, torch.jit.ScriptModule) or linears == 0:
        raise refused(
            f"precision int8 changes the Linear layers of a module of Python code, and {kind} has none: leave it out", "option_unsupported"
        )
    return _quantized(module), f", with {linears} Linear layers in int8"


def _quantized(module: torch.nn.Module) -> torch.nn.Module:
    """Weights are rounded once, activations in every call, by the range that they have in it."""
    try:
        from torch.ao.quantization import quantize_dynamic
    except ImportError as error:
        raise refused(f"PyTorch {torch.__version__} cannot quantize by itself: leave precision int8 out", "option_unsupported") from error
    with warnings.catch_warnings():
        # Where it goes one day is not for users of today's.
        warnings.simplefilter("ignore")
        return quantize_dynamic(module.to("cpu"), {torch.nn.Linear}, dtype=torch.qint8)


def compiled(module: torch.nn.Module, options: Mapping[str, object], are_sizes_open: bool) -> Callable[..., object]:
    """The module as torch.compile makes it when it is first called, where the model asks for that. Raises ServeError where it cannot be."""
    if not options.get("compile"):
        return module
    if isinstance(module, torch.jit.ScriptModule):
        raise refused("compile is for modules of Python code and .pt2 files, not for TorchScript: leave it out", "option_unsupported")
    wanted = [os.environ["CXX"]] if os.environ.get("CXX") else list(_COMPILERS)
    if not any(shutil.which(name) for name in wanted):
        raise refused(
            f"compile needs a C++ compiler, and there is no {' or '.join(wanted)}: install one, name one in CXX, or leave compile out",
            "option_unsupported",
        )
    try:
        import torch._inductor.config as inductor

        # Otherwise a pool of processes stays that compile what never comes.
        inductor.compile_threads = 1
        return torch.compile(module, dynamic=are_sizes_open)
    except Exception as error:
        raise refused(f"PyTorch cannot compile here: {first_line(error)}: leave compile out", "option_unsupported") from error
