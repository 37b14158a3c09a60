"""Turns small PyTorch models into fixtures: a `.pt2` with inputs and eager outputs inside, many to a pack.

A family file in scripts/python/fixtures/ calls `case(...)`; make_fixtures.py writes packages/torch/fixtures/<family>.zip.
"""

import io
import json
import zipfile

import torch

DTYPES = {
    torch.float32: "float32", torch.float64: "float64", torch.float16: "float16", torch.int64: "int64", torch.int32: "int32",
    torch.int16: "int16", torch.int8: "int8", torch.uint8: "uint8", torch.bool: "bool",
}
_cases: list[dict] = []


class Function(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return _plain(self.function(*args))


def _plain(value):
    """torch.return_types cannot be saved: named tuples become tuples."""
    return tuple(_plain(item) for item in value) if isinstance(value, (tuple, list)) else value


def rand(*shape, seed=0, low=-1.0, high=1.0, dtype=torch.float32):
    """Reproducible values, evenly spread."""
    generator = torch.Generator().manual_seed(seed + 1)
    return (torch.rand(shape, generator=generator) * (high - low) + low).to(dtype)


def randint(*shape, low=-5, high=6, seed=0, dtype=torch.int64):
    generator = torch.Generator().manual_seed(seed + 1)
    return torch.randint(low, high, shape, generator=generator).to(dtype)


def case(name, model, *args, dynamic=None, also=(), raising=(), refused=None, rtol=None, atol=None, strict=False, rewrite=None, by_archive=False):
    """Registers a fixture.

    model: an nn.Module (put into eval mode) or a function of tensors.
    dynamic: dynamic_shapes as torch.export takes it, one entry per argument.
    also: further tuples of arguments to run the same program on (other sizes).
    raising: tuples of arguments for which PyTorch raises; so must the translation, in words about the inputs.
    rewrite: turns (program, saved file) into the file that the fixture is to be.
    by_archive: the expected results are those of the archive as PyTorch loads it: a script differs from the eager module here.
    refused: a target such as "aten.foo.default" that the translation must report as unsupported.
    """
    module = model.eval() if isinstance(model, torch.nn.Module) else Function(model)
    _cases.append(
        dict(name=name, module=module, args=args, dynamic=dynamic, also=list(also), raising=list(raising), refused=refused, rtol=rtol, atol=atol, strict=strict,
             rewrite=rewrite, by_archive=by_archive)
    )


def write_pack(path) -> int:
    """Exports every registered case into one archive and forgets them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        for item in _cases:
            info = zipfile.ZipInfo(f"{item['name']}.pt2", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            try:
                pack.writestr(info, _fixture(item))
            except Exception as error:
                raise SystemExit(f"the case {item['name']} cannot be exported: {error}") from error
    count = len(_cases)
    _cases.clear()
    return count


def _fixture(item) -> bytes:
    module, args = item["module"], item["args"]
    dynamic = item["dynamic"]
    if dynamic is not None and isinstance(module, Function):
        dynamic = (tuple(dynamic),)
    with torch.no_grad():
        program = torch.export.export(module, _copy(args), dynamic_shapes=dynamic, strict=item["strict"])
    for part in program.graph_module.modules():
        for node in getattr(getattr(part, "graph", None), "nodes", ()):
            node.meta.pop("stack_trace", None)  # the author's own paths
    file = io.BytesIO()
    torch.export.save(program, file)
    if item["rewrite"] is not None:
        file = io.BytesIO(item["rewrite"](program, file.getvalue()))
    blob, runs = bytearray(), []
    for inputs in [args, *item["also"]]:
        with torch.no_grad():
            outputs = module(*_copy(inputs))
        leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(outputs) if leaf is not None and not isinstance(leaf, str)]
        runs.append({"inputs": [_store(t, blob) for t in _tensors(inputs)], "outputs": [_store(t, blob) for t in leaves]})
    for inputs in item["raising"]:
        runs.append({"inputs": [_store(t, blob) for t in _tensors(inputs)], "outputs": [], "raises": _raised(module, inputs)})
    about = {"runs": runs, **{key: item[key] for key in ("refused", "rtol", "atol") if item[key] is not None}}
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo("archive/extra/io.json"), json.dumps(about))
        archive.writestr(zipfile.ZipInfo("archive/extra/io.bin"), bytes(blob))
    return file.getvalue()


def _raised(module, inputs) -> str:
    try:
        with torch.no_grad():
            module(*_copy(inputs))
    except (RuntimeError, IndexError) as error:
        return str(error).splitlines()[0]
    raise ValueError("PyTorch answers where it should raise")


def slim_archive(saved: bytes, extra: dict) -> bytes:
    """A TorchScript archive without source positions (paths of this machine), with further files under `extra/`."""
    slim = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as source, zipfile.ZipFile(slim, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0)), source.read(entry))
        folder = source.namelist()[0].split("/")[0]
        for name, data in extra.items():
            target.writestr(zipfile.ZipInfo(f"{folder}/extra/{name}", (1980, 1, 1, 0, 0, 0)), data)
    return slim.getvalue()


def _copy(args):
    return torch.utils._pytree.tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, args)


def _tensors(args):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(args) if isinstance(leaf, torch.Tensor)]


def _store(value, blob: bytearray) -> dict:
    tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64 if isinstance(value, float) else None)
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    data = tensor.detach().contiguous().numpy().tobytes()
    offset = len(blob)
    blob.extend(data)
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "offset": offset, "length": len(data)}
