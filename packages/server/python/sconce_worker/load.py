"""Loads a model of any kind that PyTorch runs, and runs it."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Mapping

import torch

from .archive_model import ArchiveModel, is_archive, load_archive
from .code import open_code
from .device import device_of
from .errors import ServeError, refused
from .exported import open_exported
from .files import check_unchanged, digest_of, stamp_of
from .model_error import run_error
from .outputs import Outputs, flatten
from .pickled import open_pickle
from .program import Program
from .script import open_script
from .tensors import decode_tensors, encode_tensors
from .transformers_folder import is_config, open_transformers
from .trial import Signature, try_out
from .types import parse_port, renamed

if TYPE_CHECKING:
    from .profile import Profiler

# What of the options decides about the answers.
_DECIDING = ("arguments", "class", "inputs", "outputs", "rename", "device", "precision", "compile")

# Added to the priority of the process, of which more means later.
_LOWEST_PRIORITY = 19

# Between operators there is no parallelism: instances share out the cores. It can be said before the first of them only.
torch.set_num_interop_threads(1)


# Of a row: what is said of a piece of its answer, and the piece.
SendPiece = Callable[[int, bytes, bytes], None]


class LoadedModel:
    def __init__(self, program: Program, device: torch.device, mapped: list[dict[str, object]], profiler: Profiler | None = None) -> None:
        """`mapped`: stamps of the files whose pages are the model's weights."""
        self._profiler = profiler
        self._program = program
        self._device = device
        self._mapped = mapped
        # Of the `load` call's result.
        self.loaded: dict[str, object] = {}

    def run(self, header: memoryview, payload: memoryview, send_piece: SendPiece | None = None) -> tuple[bytes, list[memoryview], object]:
        """Header and chunks of the result, and what must live until they are sent. Raises ServeError."""
        inputs = decode_tensors(header, payload)
        started = time.perf_counter()
        try:
            outputs = self._run(inputs)
        finally:
            # What a file that changed meanwhile made of a run, be it a result or a failure, nobody gets to see.
            check_unchanged(self._mapped)
        compute_ms = (time.perf_counter() - started) * 1000
        header, chunks = encode_tensors(outputs.tensors, compute_ms)
        return header, chunks, outputs

    def _run(self, inputs: list[torch.Tensor]) -> Outputs:
        def call() -> Outputs:
            return run_program(self._program, inputs, self._device)

        return call() if self._profiler is None else self._profiler.run(call)


def run_program(program: Program, inputs: list[torch.Tensor], device: torch.device) -> Outputs:
    """Outputs in the memory of the processor, contiguous. Raises ServeError."""
    try:
        with torch.inference_mode():
            if device.type != "cpu":
                inputs = [tensor.to(device, non_blocking=True) for tensor in inputs]
            if program.half is not None:
                inputs = [tensor.to(program.half) if tensor.is_floating_point() else tensor for tensor in inputs]
            result = flatten(program.call(inputs), program.taken)
            tensors = [_given(tensor, program.half) for tensor in result.tensors]
            return Outputs(result.names, tensors)
    except BaseException as error:
        raise run_error(error) from error


def _given(tensor: torch.Tensor, half: torch.dtype | None) -> torch.Tensor:
    tensor = tensor.detach().to("cpu").contiguous().resolve_conj().resolve_neg()
    return tensor.to(torch.float32) if half is not None and tensor.dtype == half else tensor


def load_model(message: Mapping[str, object], progress: Callable[[str], None]) -> LoadedModel | ArchiveModel:
    """Loads and warms up. Raises ServeError `failed_precondition` with what to do."""
    spec = message["spec"]
    options = {**spec["options"], **(spec["options"].get("python") or {})}
    if options.get("isBackground"):
        os.nice(_LOWEST_PRIORITY)
    torch.set_num_threads(max(1, options["threadsPerInstance"]))
    # Otherwise all instances, and every restart, would draw the same random numbers.
    torch.seed()
    device = device_of(options.get("device") or "cpu", message.get("instance", 0))
    if is_archive(Path(spec["file"])):
        return load_archive(message, device, progress)
    started = time.perf_counter()
    progress("load")
    program = open_program(spec, options, device)
    loaded = time.perf_counter()
    progress("warmup")
    stamps = [stamp_of(path) for path in program.files]
    signature = _settled(program, options, device)
    model = LoadedModel(program, device, stamps if options["memory"] == "shared" else [], _profiler(program, options))
    times = {"load": (loaded - started) * 1000, "warmup": (time.perf_counter() - loaded) * 1000}
    model.loaded = {
        "description": {
            **_described(program, signature, options),
            **({} if device.type == "cpu" else {"computesOn": str(device)}),
            "digest": _digest(program, options) if message["wantsDigest"] else "",
            "loadMs": times,
        },
        "files": stamps,
        "isWarm": True,
    }
    return model


def _profiler(program: Program, options: Mapping[str, object]) -> Profiler | None:
    if not options.get("profile"):
        return None
    from .profile import Profiler

    return Profiler(options["profile"], program.module)


def open_program(spec: Mapping[str, object], options: Mapping[str, object], device: torch.device) -> Program:
    """A model of any kind but an archive. Raises ServeError."""
    file = Path(spec["file"])
    code = spec.get("codeFile")
    if code is None and options.get("weightsFile"):
        raise refused("weights replaces those of translated programs, or belongs to a model.py: leave it out", "option_unsupported")
    if code is None:
        return _program_opener(file)(file, options, device)
    weights = options.get("weightsFile") or (None if code == spec["file"] else spec["file"])
    if is_config(Path(code)):
        return open_transformers(Path(code), Path(weights), options, device)
    return open_code(Path(code), None if weights is None else Path(weights), options, device)


def _program_opener(file: Path) -> Callable[[Path, Mapping[str, object], torch.device], Program]:
    """By what is in the archive; its name says nothing."""
    if not zipfile.is_zipfile(file):
        with open(file, "rb") as opened:
            is_pickle = opened.read(1) == b"\x80"
        if not is_pickle:
            raise refused(f"{file.name} is not a file that PyTorch runs", "unknown_format")
        return open_pickle
    with zipfile.ZipFile(file) as archive:
        names = [name.split("/", 1)[-1] for name in archive.namelist()]
    if any(name == "archive_format" or name.startswith("models/") or name.startswith("serialized_exported") for name in names):
        return open_exported
    return open_script if "constants.pkl" in names else open_pickle


def _settled(program: Program, options: Mapping[str, object], device: torch.device) -> Signature:
    stated = options.get("outputs")
    outputs = tuple(parse_port(name, text) for name, text in stated.items()) if stated else program.outputs
    # A compiler would begin when the first request comes.
    times = max(1, options["warmupRuns"]) if options.get("compile") else options["warmupRuns"]
    signature = try_out(program, lambda tensors: run_program(program, tensors, device), outputs, times)
    inputs, outputs = renamed(signature.inputs, signature.outputs, options.get("rename") or {})
    return signature._replace(inputs=inputs, outputs=outputs)


def _described(program: Program, signature: Signature, options: Mapping[str, object]) -> dict[str, object]:
    return {
        "signature": {
            "inputs": [port.spec() for port in signature.inputs],
            "outputs": [port.spec() for port in signature.outputs],
            "batching": signature.batching,
            # Whoever states what the model gives holds it to that.
            **({"areSizesClaimed": True} if program.are_sizes_claimed and not options.get("outputs") else {}),
        },
        "platform": program.platform,
        "runtime": "python",
        "runtimeReason": f"{program.kind}, run by PyTorch {torch.__version__}",
        "parameterCount": program.parameter_count,
        "weightBytes": program.weight_bytes,
        "warnings": signature.warnings,
    }


def _digest(program: Program, options: Mapping[str, object]) -> str:
    deciding = {name: options.get(name) for name in _DECIDING}
    return digest_of(program.files, json.dumps(deciding, sort_keys=True))
