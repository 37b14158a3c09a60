"""Writes packages/torch/fixtures/scripted/<family>.zip: hand-written modules of scripts/python/scripted/ as TorchScript archives.

    python scripts/python/make_scripted_fixtures.py [family ...]

Every case is there three times: as `torch.jit.script` writes it, frozen, and optimized for inference. Each holds the types of its inputs
(sizes that differ between runs get a name), inputs, and what the eager module answers.
"""

import copy
import importlib.util
import io
import json
import pathlib
import sys
import warnings
import zipfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fixture_kit  # noqa: E402

warnings.filterwarnings("ignore")
SYMBOLS = ("batch", "length", "height", "width")
VARIANTS = {
    "script": lambda script: script,
    "frozen": torch.jit.freeze,
    "optimized": lambda script: torch.jit.optimize_for_inference(torch.jit.freeze(script)),
}


def declared(script, runs) -> dict:
    """The types of forward's arguments: a size that is not the same in every run is named, and the same name stands for the same sizes."""
    names = [argument.name for argument in script.forward.schema.arguments[1:]]
    symbols, inputs = {}, {}
    for at, name in enumerate(names[: len(runs[0])]):
        tensors = [run[at] for run in runs]
        if tensors[0] is None:
            continue
        dims = []
        for sizes in zip(*(tensor.shape for tensor in tensors)):
            free = SYMBOLS[len(symbols)] if sizes not in symbols and len(symbols) < len(SYMBOLS) else None
            dims.append(sizes[0] if len(set(sizes)) == 1 else symbols.setdefault(sizes, free))
        inputs[name] = {"dtype": fixture_kit.DTYPES[tensors[0].dtype], "dims": dims}
    return inputs


def leaves(value):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(value) if leaf is not None and not isinstance(leaf, str)]


def answers(module, args):
    """What a fresh copy of the module says: some change themselves."""
    with torch.no_grad():
        return leaves(copy.deepcopy(module)(*fixture_kit._copy(args)))


def archived(item, variant) -> bytes:
    module, runs = item["module"], [item["args"], *item["also"]]
    script = VARIANTS[variant](torch.jit.script(module))
    saved = io.BytesIO()
    torch.jit.save(script, saved)
    saved = saved.getvalue()
    loaded = [answers(torch.jit.load(io.BytesIO(saved)), args) for args in runs]
    expected = loaded if item["by_archive"] else [answers(module, args) for args in runs]
    # A file that PyTorch itself reads differently from the eager module would prove nothing.
    for one, want in zip(sum(loaded, []), sum(expected, []), strict=True):
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(want), rtol=1e-4, atol=1e-5)
    blob = bytearray()
    about = {
        "inputs": declared(script, runs),
        "runs": [
            {
                "inputs": [fixture_kit._store(t, blob) for t in fixture_kit._tensors(args)],
                "outputs": [fixture_kit._store(t, blob) for t in outputs],
            }
            for args, outputs in zip(runs, expected)
        ],
        **{key: item[key] for key in ("refused", "rtol", "atol") if item[key] is not None},
    }
    return fixture_kit.slim_archive(saved, {"io.json": json.dumps(about), "io.bin": bytes(blob)})


def main() -> None:
    here = pathlib.Path(__file__).parent
    target = here.parents[1] / "packages/torch/fixtures/scripted"
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted((here / "scripted").glob("*.py")):
        if len(sys.argv) > 1 and source.stem not in sys.argv[1:]:
            continue
        fixture_kit._cases.clear()
        spec = importlib.util.spec_from_file_location(source.stem, source)
        module = importlib.util.module_from_spec(spec)
        sys.modules[source.stem] = module  # torch.jit.script asks for the source of every class
        spec.loader.exec_module(module)
        pack = target / f"{source.stem.replace('_', '-')}.zip"
        unwritten = []
        with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in fixture_kit._cases:
                for variant in VARIANTS:
                    name = f"{item['name']}.{variant}"
                    try:
                        data = archived(item, variant)
                    except Exception as error:  # what PyTorch cannot script or save, or reads differently from the eager module
                        unwritten.append(f"{name}: {' '.join(str(error).split())[:200]}")
                        continue
                    info = zipfile.ZipInfo(f"{name}.pt", (1980, 1, 1, 0, 0, 0))
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, data)
        print(f"{pack.name}: {len(fixture_kit._cases)} cases, {pack.stat().st_size} bytes", *unwritten, sep="\n  ")


main()
