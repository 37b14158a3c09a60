"""A folder that transformers' `save_pretrained` wrote: `config.json` and its weights, for an interpreter that has transformers."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Mapping

import torch

from .code import program_of
from .errors import first_line, refused
from .program import Program
from .shared_weights import share_weights
from .types import Port, Symbol
from .weights import shards_of


def is_config(path: Path) -> bool:
    return path.name == "config.json"


def open_transformers(config_file: Path, weights: Path, options: Mapping[str, object], device: torch.device) -> Program:
    """Raises ServeError. Nothing is fetched, and no code of the folder is run."""
    try:
        import transformers
    except ImportError as error:
        raise refused(
            f"a folder with config.json needs transformers, which {os.path.basename(sys.executable)} does not have: "
            "install it, or name an interpreter that has it with --python",
            "python_missing",
        ) from error
    folder = config_file.parent
    config = json.loads(config_file.read_text(encoding="utf-8"))
    name = options.get("class") or next(iter(config.get("architectures") or ["AutoModel"]))
    kind = getattr(transformers, str(name), None)
    if kind is None or not hasattr(kind, "from_pretrained"):
        raise refused(f"transformers {transformers.__version__} has no class {str(name)[:80]}, which config.json names")
    try:
        model = kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=weights.suffix == ".safetensors"
        )
    except Exception as error:
        raise refused(f"transformers cannot load the folder: {type(error).__name__}: {first_line(error)}") from error
    if options["memory"] == "shared":
        for file in shards_of(weights):
            share_weights(model, file)
    return program_of(
        model,
        options,
        device,
        module=None,
        files=[config_file, *shards_of(weights)],
        kind=f"it is {name} of transformers {transformers.__version__}",
        where=name,
        ports=None if options.get("inputs") else _usual_inputs(model),
        constants={"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {},
    )


def _usual_inputs(model: torch.nn.Module) -> tuple[Port, ...] | None:
    """What models of texts and of images take; None: it takes something else."""
    parameters = inspect.signature(model.forward).parameters
    if getattr(model, "main_input_name", "") == "input_ids" and "input_ids" in parameters:
        dims = (Symbol("batch"), Symbol("length"))
        names = [name for name in ("input_ids", "attention_mask") if name in parameters]
        return tuple(Port(name, torch.int64, dims) for name in names)
    size = getattr(model.config, "image_size", None)
    if getattr(model, "main_input_name", "") == "pixel_values" and size is not None:
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
        channels = getattr(model.config, "num_channels", 3)
        return (Port("pixel_values", torch.float32, (Symbol("batch"), channels, height, width)),)
    return None
