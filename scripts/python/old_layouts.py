"""Rewrites what this PyTorch saves into the layouts of earlier ones, which cannot be installed beside it.

The program stays what torch.export wrote; its version, its fields and the files around it become those of the older release.
"""

import io
import json
import re
import zipfile

import torch


def pickled_payload(program, file: bytes) -> bytes:
    """torch 2.8: a PT2 archive whose weights and constants are one torch.save file each."""
    entries = _entries(file)
    root = next(name for name in entries if name.endswith("models/model.json")).removesuffix("models/model.json")
    kept = {name: data for name, data in entries.items() if not re.search(r"/data/(weights|constants)/", name)}
    kept[f"{root}models/model.json"] = _downgraded(entries[f"{root}models/model.json"], 8, 8)
    kept[f"{root}data/weights/model.pt"] = _pickled(program.state_dict)
    kept[f"{root}data/constants/model.pt"] = _pickled(program.constants)
    return _zip(kept)


def flat(major: int, minor: int):
    """torch 2.1 to 2.7: a plain zip of a program and three torch.save files."""

    def rewrite(program, file: bytes) -> bytes:
        entries = _entries(file)
        model = next(data for name, data in entries.items() if name.endswith("models/model.json"))
        return _zip(
            {
                "serialized_exported_program.json": _downgraded(model, major, minor),
                "serialized_state_dict.pt": _pickled(program.state_dict),
                "serialized_constants.pt": _pickled(program.constants),
                "serialized_example_inputs.pt": _pickled(program.example_inputs),
                "version": f"{major}.{minor}".encode(),
            }
        )

    return rewrite


def _entries(file: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(entries: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def _pickled(value: object) -> bytes:
    target = io.BytesIO()
    torch.save(value, target)
    return target.getvalue()


def _downgraded(model: bytes, major: int, minor: int) -> bytes:
    program = json.loads(model)
    program["schema_version"] = {"major": major, "minor": minor}
    for key in ("guards_code", "torch_version"):
        program.pop(key, None)
    if major < 8:
        program.pop("verifiers")
        program["dialect"] = "TRAINING"
        program["graph_module"].pop("treespec_namedtuple_fields", None)
    _without_new_fields(program, major)
    return json.dumps(program).encode()


def _without_new_fields(value: object, major: int) -> None:
    if isinstance(value, list):
        for item in value:
            _without_new_fields(item, major)
    elif isinstance(value, dict):
        if "target" in value:
            for key in ("name", "is_hop_single_tensor_return"):
                value.pop(key, None)
            for item in value["inputs"]:
                item.pop("kind", None)
        if major < 8 and "expr_str" in value:
            value["expr_str"] = _infix(value["expr_str"])
        for item in value.values():
            _without_new_fields(item, major)


def _infix(text: str) -> str:
    """Releases before 2.6 wrote sizes as sympy prints them."""
    import sympy
    from torch.utils._sympy import functions

    return str(sympy.sympify(text, locals={name: getattr(functions, name) for name in dir(functions)}))
