"""Writes packages/torch/fixtures/torchscript/<family>.zip: the cases of scripts/python/fixtures/ as traced TorchScript archives.

    python scripts/python/make_traced_fixtures.py [family ...]
"""

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


def traced(item) -> bytes:
    """The case as `torch.jit.save` writes it, without source positions (paths of this machine), with inputs and outputs inside."""
    module, args = item["module"], item["args"]
    with torch.no_grad():
        script = torch.jit.trace(module, fixture_kit._copy(args), strict=False, check_trace=False)
        expected = script(*fixture_kit._copy(args))
    leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(expected) if leaf is not None and not isinstance(leaf, str)]
    blob = bytearray()
    run = {
        "inputs": [fixture_kit._store(t, blob) for t in fixture_kit._tensors(args)],
        "outputs": [fixture_kit._store(t, blob) for t in leaves],
    }
    about = {"runs": [run], **{key: item[key] for key in ("rtol", "atol") if item[key] is not None}}
    whole = io.BytesIO()
    torch.jit.save(script, whole)
    return fixture_kit.slim_archive(whole.getvalue(), {"io.json": json.dumps(about), "io.bin": bytes(blob)})


def main() -> None:
    here = pathlib.Path(__file__).parent
    target = here.parents[1] / "packages/torch/fixtures/torchscript"
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted((here / "fixtures").glob("*.py")):
        if len(sys.argv) > 1 and source.stem not in sys.argv[1:]:
            continue
        fixture_kit._cases.clear()
        spec = importlib.util.spec_from_file_location(source.stem, source)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        pack = target / f"{source.stem.replace('_', '-')}.zip"
        untraceable = []
        with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in fixture_kit._cases:
                try:
                    data = traced(item)
                except Exception as error:  # some cases hold what tracing refuses (control flow of torch.export, None outputs)
                    untraceable.append(f"{item['name']}: {str(error).splitlines()[0][:100]}")
                    continue
                info = zipfile.ZipInfo(f"{item['name']}.pt", (1980, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
        print(f"{pack.name}: {len(fixture_kit._cases) - len(untraceable)} fixtures, {pack.stat().st_size} bytes; {untraceable}")


main()
