"""Writes packages/torch/fixtures/<family>.zip for every file in scripts/python/fixtures/, or for the families named.

    python scripts/python/make_fixtures.py [family ...]
"""

import importlib.util
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fixture_kit  # noqa: E402

here = pathlib.Path(__file__).parent
target = here.parents[1] / "packages/torch/fixtures"
target.mkdir(exist_ok=True)
for source in sorted((here / "fixtures").glob("*.py")):
    if len(sys.argv) > 1 and source.stem not in sys.argv[1:]:
        continue
    spec = importlib.util.spec_from_file_location(source.stem, source)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    pack = target / f"{source.stem.replace('_', '-')}.zip"
    count = fixture_kit.write_pack(pack)
    print(f"{pack.name}: {count} fixtures, {pack.stat().st_size} bytes")
