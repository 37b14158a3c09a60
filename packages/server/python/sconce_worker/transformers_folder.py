"""A folder that transformers' `save_pretrained` wrote: `config.json` and its weights, for an interpreter that has transformers."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Mapping

import torch

from .code import program_of
from .errors import first_line, refused
from .program import Program
from .shared_weights import share_weights
from .types import Port, Symbol
from .weights import shards_of


Ports = tuple[Port, ...]


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
    kind = _class_named(transformers, str(name))
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


def _class_named(transformers: ModuleType, name: str) -> type | None:
    """Raises ServeError where a package that it needs is missing or does not fit."""
    try:
        return getattr(transformers, name, None)
    except ModuleNotFoundError as error:
        cause = error.__cause__ or error
        raise refused(f"transformers cannot import {name[:80]}: {first_line(cause)}", "python_missing", str(error)) from error


def _usual_inputs(model: torch.nn.Module) -> Ports | None:
    """What models of texts, images and sounds take; None: it takes something else."""
    parameters = inspect.signature(model.forward).parameters
    main = getattr(model, "main_input_name", "")
    if main not in parameters:
        return None
    config = model.config
    if hasattr(config, "text_config") and hasattr(config, "vision_config") and "pixel_values" in parameters:
        return _text_and_image(config, parameters)
    ports = {"input_ids": _text, "pixel_values": _image, "input_values": _sound, "input_features": _sound}.get(main, _other)(main, config)
    if ports is None:
        return None
    if main == "input_ids" and "attention_mask" in parameters:
        ports = (*ports, ports[0]._replace(name="attention_mask"))
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in parameters:
        ports = (*ports, Port("decoder_input_ids", torch.int64, (Symbol("batch"), Symbol("decoder_length"))))
    return ports


def _text(name: str, config: object) -> Ports | None:
    return (Port(name, torch.int64, (Symbol("batch"), Symbol("length"))),)


def _image(name: str, config: object) -> Ports | None:
    size = getattr(config, "image_size", None)
    height, width = (Symbol("height"), Symbol("width")) if size is None else size if isinstance(size, (tuple, list)) else (size, size)
    return (Port(name, torch.float32, (Symbol("batch"), getattr(config, "num_channels", 3), height, width)),)


def _sound(name: str, config: object) -> Ports | None:
    """Samples, or their spectrum: of a length that the table of positions has, or, where there is no spectrum, of any."""
    bins = getattr(config, "num_mel_bins", None)
    if bins is None:
        return (Port(name, torch.float32, (Symbol("batch"), Symbol("samples"))),)
    positions = getattr(config, "max_source_positions", None)
    length = getattr(config, "max_length", None)
    if name == "input_features" and positions is not None:
        return (Port(name, torch.float32, (Symbol("batch"), bins, 2 * positions)),)
    return None if length is None else (Port(name, torch.float32, (Symbol("batch"), length, bins)),)


def _other(name: str, config: object) -> Ports | None:
    return None


def _text_and_image(config: object, parameters: Mapping[str, object]) -> Ports | None:
    """Texts are compared with images, of which there may be another number."""
    size = getattr(config.vision_config, "image_size", None)
    if "input_ids" not in parameters or size is None:
        return None
    channels = getattr(config.vision_config, "num_channels", 3)
    text = (Symbol("texts"), Symbol("length"))
    ports = {
        "input_ids": Port("input_ids", torch.int64, text),
        "pixel_values": Port("pixel_values", torch.float32, (Symbol("images"), channels, size, size)),
        "attention_mask": Port("attention_mask", torch.int64, text),
    }
    return tuple(port for name, port in ports.items() if name in parameters)
