"""Writes cases of case_kit.py as fixture packs, one for each kind: what a case's name begins with."""

from pathlib import Path

import torch
from fixture_pack import Pack, Skip, clones, is_core, results_of, saved, targets_of
from torch.utils._pytree import tree_leaves, tree_map

from case_kit import Fn, HALVES


def _number(leaf):
    return torch.tensor(leaf, dtype=torch.float64) if isinstance(leaf, float) else leaf


class Packs:
    """Collects cases; `write` puts the packs into a folder."""

    def __init__(self, titles):
        self.titles = titles
        self.packs = {}

    def case(self, name, module, example, others=(), dynamic=None, kwargs=None):
        """As `case_kit.case` of an exported program. A case whose example PyTorch's own program refuses is left out."""
        pack = self.packs.setdefault(name[0], Pack(self.titles[name[0]]))
        shapes = (dynamic,) if dynamic and isinstance(module, Fn) else dynamic
        program = torch.export.export(module.eval(), clones(example), clones(kwargs), dynamic_shapes=shapes)
        run = program.module()
        runs = []
        for given in [example, *others]:
            entry = {"inputs": [pack.tensor(tensor) for tensor in tree_leaves((given, kwargs or {}))]}
            try:
                with torch.no_grad():
                    entry["outputs"] = [pack.tensor(tensor) for tensor in results_of(tree_map(_number, run(*clones(given), **clones(kwargs or {}))))]
            except Exception as error:  # noqa: BLE001 whatever PyTorch raises is its answer
                entry["raises"] = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:160]
            runs.append(entry)
        if "raises" in runs[0]:
            raise Skip(f"PyTorch refuses the example: {runs[0]['raises']}")
        program._example_inputs = None
        halves = {str(t.dtype)[6:] for t in tree_leaves((example, kwargs or {}, list(module.state_dict().values()))) if getattr(t, "dtype", None) in HALVES}
        precision = {"precision": sorted(halves)[0]} if halves else {}
        sample = {"id": name, "targets": targets_of(program), "core": is_core(program), "program": pack.place(saved(program))}
        pack.samples.append({**sample, **precision, "runs": runs})

    def write(self, folder):
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        for pack in self.packs.values():
            if pack.samples:
                pack.write(path)
