"""Fixture packs: exported programs with inputs and PyTorch's outputs, one file per op, readable with gzip and JSON alone.

A pack is gzip over: uint32 little-endian length of the header, the header (JSON, UTF-8), then raw bytes. The header places bytes as
`[offset, length]` behind itself. Tensors are row-major and little-endian. Equal bytes are stored once.
"""

import gzip
import io
import json
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.utils import _pytree as pytree

class Skip(Exception):
    """A sample that cannot be a fixture; the message is the reason that the report shows."""


@dataclass
class Pack:
    """The samples of one op while they are collected."""

    op: str
    samples: list[dict] = field(default_factory=list)
    skipped: list[dict] = field(default_factory=list)
    blobs: bytearray = field(default_factory=bytearray)
    places: dict[bytes, list[int]] = field(default_factory=dict)

    def place(self, data: bytes) -> list[int]:
        if data not in self.places:
            self.places[data] = [len(self.blobs), len(data)]
            self.blobs += data
        return self.places[data]

    def tensor(self, value: torch.Tensor, unspecified: bool = False) -> dict:
        if value.layout is not torch.strided or value.is_quantized:
            raise Skip(f"a tensor has layout {str(value.layout).removeprefix('torch.')}")
        dense = torch.empty(value.numel(), dtype=value.dtype).copy_(value.detach().reshape(-1))
        data = dense.view(torch.uint8).numpy().tobytes() if dense.numel() else b""
        place = {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "at": self.place(data)}
        return {**place, "unspecified": True} if unspecified else place

    def skip(self, sample: str, reason: str) -> None:
        self.skipped.append({"id": sample, "reason": reason})

    def write(self, folder: Path) -> int:
        """Writes the pack; returns its size in bytes."""
        header = {
            "op": self.op,
            "torch": torch.__version__.split("+")[0],
            "samples": self.samples,
            "skipped": self.skipped,
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        path = folder / f"{self.op}.pack"
        with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.write(struct.pack("<I", len(text)) + text + bytes(self.blobs))
        return path.stat().st_size


def tensors_of(value: object) -> list[torch.Tensor]:
    return [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def results_of(value: object) -> list[torch.Tensor]:
    """The outputs of a program: tensors, and numbers as tensors without dimensions."""
    leaves = [leaf for leaf in pytree.tree_leaves(value) if isinstance(leaf, (torch.Tensor, int, float))]
    return [leaf if isinstance(leaf, torch.Tensor) else torch.tensor(leaf) for leaf in leaves]


def clones(values: object) -> object:
    return pytree.tree_map_only(torch.Tensor, lambda t: t.detach().clone(), values)


def reason_of(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    line = next((line.strip() for line in lines if line.strip()), "")
    return f"{type(error).__name__}: {line}"[:160] if "/" not in line else type(error).__name__


def export(module: torch.nn.Module, args: tuple, kwargs: dict | None = None, dynamic_shapes: object = None):
    """torch.export in its default (training IR) form, without the author's stack traces."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, clones(args), clones(kwargs or {}), dynamic_shapes=dynamic_shapes)
    except Exception as error:
        raise Skip(f"torch.export refuses it: {reason_of(error)}") from error
    return program


def decomposed(label: str, program) -> list[tuple[str, object]]:
    """The program in Core ATen ops under the name `<label>-core`; nothing where that is the same."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            core = program.run_decompositions()
    except Exception:  # PyTorch itself cannot; the training form stands alone
        return []
    return [] if targets_of(core) == targets_of(program) else [(f"{label}-core", core)]


def bare(program) -> object:
    """Drops the history of the nodes, in subgraphs too: it holds paths and addresses of the machine that made the fixture."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
                node.meta.pop("from_node", None)
    return program


def saved(program) -> bytes:
    target = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.save(bare(program), target)
    except Exception as error:
        raise Skip(f"torch.export.save refuses it: {reason_of(error)}") from error
    return target.getvalue()


def targets_of(program) -> list[str]:
    """The ops of a program and its subgraphs, such as `aten.add.Tensor`."""
    nodes = [
        node
        for module in program.graph_module.modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
        if node.op == "call_function"
    ]
    return sorted({name for node in nodes if (name := target_name(node.target)) != "getitem"})


def target_name(target: object) -> str:
    return str(target) if isinstance(target, torch._ops.OpOverload) else getattr(target, "__name__", str(target))


def is_core(program) -> bool:
    """Whether all ops are Core ATen."""
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    ops = [node.target for node in nodes if target_name(node.target) != "getitem"]
    return all(isinstance(op, torch._ops.OpOverload) and torch.Tag.core in op.tags for op in ops)


def close(left: list[torch.Tensor], right: list[torch.Tensor]) -> bool:
    if len(left) != len(right):
        return False
    try:
        torch.testing.assert_close(left, right, equal_nan=True, rtol=1e-5, atol=1e-6)
    except AssertionError:
        return False
    return True
