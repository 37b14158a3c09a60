"""What `sconce export` is given, as a module that torch.export takes."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, NamedTuple

import torch

from .archive_folder import unpack
from .archive_model import is_archive
from .code import open_code
from .errors import first_line, refused
from .export_inputs import Sizes, choices, made_inputs
from .load import open_program
from .manifest import read_archive
from .program import Program

_CPU = torch.device("cpu")


class Source(NamedTuple):
    """`program.module` is there. `notes`: what whoever exports it should know."""

    program: Program
    notes: list[str]


def open_source(spec: Mapping[str, object], options: Mapping[str, object]) -> Source:
    """Raises ServeError where there is nothing to export."""
    file = Path(spec["file"])
    if is_archive(file):
        return _archived(file, options)
    return Source(_with_module(open_program(spec, options, _CPU)), [])


def _archived(file: Path, options: Mapping[str, object]) -> Source:
    archive = read_archive(unpack(file))
    handler = str(archive.model["handler"])[:80]
    code, serialized = archive.model.get("modelFile"), archive.model.get("serializedFile")
    if not serialized:
        raise refused(
            f"the archive's handler {handler} makes its model itself, so that there is nothing to export; name the folder of a model.py and its weights"
        )
    path = archive.folder / str(serialized)
    if code:
        program = open_code(archive.folder / str(code), path, options, _CPU)
    else:
        program = open_program({"file": str(path), "codeFile": None}, options, _CPU)
    note = f"what the handler {handler} does before and behind the model is no part of the file: a task in model.yaml, or a client, has to do it"
    return Source(_with_module(program), [note])


def _with_module(program: Program) -> Program:
    if program.script is not None:
        return program._replace(module=_converted(program, program.script))
    if program.module is None:
        raise refused(f"there is nothing to export: {program.kind}; sconce inspect says whether it runs without Python")
    return program


def _converted(program: Program, script: torch.jit.ScriptModule) -> torch.nn.Module:
    """torch.export takes no scripted module, and has a converter for most of them."""
    advice = "sconce serve translates TorchScript itself; or export the Python module that it was made of"
    wanted = [argument.name for argument in script.forward.schema.arguments[1:] if not argument.has_default_value()]
    if len(wanted) != len(program.inputs):
        raise refused(f"a TorchScript program with arguments that are no tensors cannot be exported: {advice}")
    try:
        from torch._export.converter import TS2EPConverter
    except ImportError as error:
        raise refused(f"this PyTorch cannot convert TorchScript: {advice}") from error
    _, inputs = accepted(program)
    try:
        return TS2EPConverter(script, tuple(inputs)).convert().module()
    except Exception as error:
        raise refused(f"PyTorch cannot convert the TorchScript program ({type(error).__name__}: {first_line(error)}): {advice}") from error


def accepted(program: Program) -> tuple[Sizes, list[torch.Tensor]]:
    """The first choice of sizes that the model takes, and inputs of them. Raises what it says against the likeliest one."""
    failure: Exception | None = None
    for sizes in choices(program.inputs):
        inputs = made_inputs(program.inputs, sizes)
        if inputs is None:
            continue
        try:
            with torch.inference_mode():
                program.call(inputs)
        except Exception as error:
            failure = failure or Rejected(inputs, error)
            continue
        return sizes, inputs
    raise failure or refused("its inputs are too large to make any up")


class Rejected(Exception):
    """The model fails on made-up inputs."""

    def __init__(self, inputs: list[torch.Tensor], error: Exception) -> None:
        super().__init__(str(error))
        self.inputs = inputs
        self.error = error
