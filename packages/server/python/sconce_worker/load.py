"""Loads a model of any kind that PyTorch runs, and runs it."""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from typing import Callable, Mapping

import torch

from .archive_model import ArchiveModel, is_archive, load_archive
from .code import open_code
from .errors import ServeError, refused
from .files import digest_of, stamp_of
from .model_error import run_error
from .program import Program
from .tensors import decode_tensors, encode_tensors
from .trial import Outputs, Signature, flatten, try_out

# What of the options decides about the answers.
_DECIDING = ("arguments", "class", "inputs", "outputs", "rename", "device")


class LoadedModel:
    def __init__(self, program: Program, signature: Signature, device: torch.device) -> None:
        self._program = program
        self._device = device
        self._dtypes = [port.dtype for port in signature.outputs]
        self.loaded: dict[str, object] = {}

    def run(self, header: memoryview, payload: memoryview) -> tuple[bytes, list[memoryview], object]:
        """Header and chunks of the result, and what must live until they are sent. Raises ServeError."""
        inputs = decode_tensors(header, payload)
        started = time.perf_counter()
        outputs = run_program(self._program, inputs, self._device)
        compute_ms = (time.perf_counter() - started) * 1000
        header, chunks = encode_tensors(outputs.tensors, compute_ms)
        return header, chunks, outputs


def run_program(program: Program, inputs: list[torch.Tensor], device: torch.device) -> Outputs:
    """Outputs in the memory of the processor, contiguous. Raises ServeError."""
    try:
        with torch.inference_mode():
            if device.type != "cpu":
                inputs = [tensor.to(device, non_blocking=True) for tensor in inputs]
            result = flatten(program.call(inputs))
            tensors = [tensor.detach().to("cpu").contiguous().resolve_conj().resolve_neg() for tensor in result.tensors]
            return Outputs(result.names, tensors)
    except BaseException as error:
        raise run_error(error) from error


def load_model(message: Mapping[str, object], progress: Callable[[str], None]) -> LoadedModel | ArchiveModel:
    """Loads and warms up. Raises ServeError `failed_precondition` with what to do."""
    spec = message["spec"]
    options = {**spec["options"], **(spec["options"].get("python") or {})}
    torch.set_num_threads(max(1, options["threadsPerInstance"]))
    # Otherwise all instances, and every restart, would draw the same random numbers.
    torch.seed()
    device = torch.device("cpu")
    if is_archive(Path(spec["file"])):
        return load_archive(message, device, progress)
    started = time.perf_counter()
    progress("load")
    program = _open(spec, options, device)
    loaded = time.perf_counter()
    progress("warmup")
    signature = _warm_up(program, device)
    model = LoadedModel(program, signature, device)
    times = {"load": (loaded - started) * 1000, "warmup": (time.perf_counter() - loaded) * 1000}
    model.loaded = {
        "description": {
            **_described(program, signature, options),
            "digest": _digest(program, options) if message["wantsDigest"] else "",
            "loadMs": times,
        },
        "files": [stamp_of(path) for path in program.files],
        "isWarm": True,
    }
    return model


def _open(spec: Mapping[str, object], options: Mapping[str, object], device: torch.device) -> Program:
    file = Path(spec["file"])
    code = spec.get("codeFile")
    if code is None:
        raise refused(f"{file.name} cannot be served by the Python runtime yet", "unknown_format")
    weights = options.get("weightsFile") or (None if code == spec["file"] else spec["file"])
    return open_code(Path(code), None if weights is None else Path(weights), options, device)


def _warm_up(program: Program, device: torch.device) -> Signature:
    try:
        return try_out(program, lambda tensors: run_program(program, tensors, device), device)
    except ServeError as error:
        shown = ", ".join(port.name for port in program.inputs)
        raise refused(
            f"the model fails on made-up inputs ({shown}): {error.message}", "warmup_failed", error.detail
        ) from error


def _described(program: Program, signature: Signature, options: Mapping[str, object]) -> dict[str, object]:
    return {
        "signature": {
            "inputs": [port.spec() for port in signature.inputs],
            "outputs": [port.spec() for port in signature.outputs],
            "batching": signature.batching,
            **({"areSizesClaimed": True} if program.are_sizes_claimed else {}),
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
