"""A TorchScript archive, traced or scripted, run by PyTorch itself."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import torch

from .errors import first_line, refused
from .forms import compiled, half_of, in_precision
from .program import Program, weights_of
from .shared_weights import share_weights
from .traced_inputs import traced_inputs
from .types import stated_inputs


def open_script(path: Path, options: Mapping[str, object], device: torch.device) -> Program:
    """Raises ServeError."""
    try:
        module = torch.jit.load(path, map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise refused(f"PyTorch cannot load the program: {first_line(error)}") from error
    names = [argument.name for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    stated = stated_inputs(options["inputs"]) if options.get("inputs") else None
    traced = None if stated is not None else traced_inputs(path, names)
    if stated is None and traced is None:
        shown = ", ".join(f'{name}: "float32[batch, 3]"' for name in names)
        raise refused(
            f"a TorchScript file does not say what it takes: write it into model.yaml, such as inputs: {{{shown}}}",
            "inputs_unknown",
        )
    inputs, constants = stated or (traced, {})
    if options["memory"] == "shared":
        share_weights(module, path)
    module, form = in_precision(module, options["precision"], path.name)
    compiled(module, options, True)
    parameters, size = weights_of(module)
    known = {argument.name for argument in module.forward.schema.arguments}

    def call(tensors: list[torch.Tensor]) -> object:
        given = dict(zip((port.name for port in inputs), tensors))
        if known.issuperset(given):
            return module(**given, **constants)
        return module(*tensors)

    return Program(
        call=call,
        inputs=inputs,
        outputs=None,
        samples=None,
        platform="pytorch_torchscript",
        kind=f"it is a TorchScript program{form}",
        parameter_count=parameters,
        weight_bytes=size,
        files=[path],
        batching_hint="",
        are_sizes_claimed=True,
        taken=tuple(port.name for port in inputs),
        half=half_of(options["precision"]),
        script=module,
    )
