"""Writes packages/torch/fixtures/quantized/{pt2e,torchao}.pack: programs as torchao's own functions leave them, with what PyTorch answers.

    python -m venv torchao-env && torchao-env/bin/pip install torch==2.13.0 torchao==0.18.0 numpy
    torchao-env/bin/python scripts/python/make_torchao_fixtures.py packages/torch/fixtures/quantized

The other fixtures need no torchao, and neither does the tests' Python.
"""

import copy
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
from fixture_pack import Pack, bare, saved, targets_of
from torch import nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8DynamicActivationIntxWeightConfig,
    Int8WeightOnlyConfig,
    IntxWeightOnlyConfig,
    PerAxis,
    PerGroup,
    quantize_,
)
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config


class Pictures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.wide, self.last = nn.Linear(8, 16), nn.Linear(16, 4, bias=False)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x)))
        y = (y + nn.functional.max_pool2d(y, 3, 1, 1)).mean((2, 3))
        return self.last(torch.relu(self.wide(y)))


class Texts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 32), nn.Linear(32, 3)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0)

    def forward(self, ids):
        return self.head(self.layer(self.table(ids)))


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 32), nn.Linear(32, 16, bias=False)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def pictures(seed: int) -> tuple[torch.Tensor]:
    return (torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed)),)


def texts(seed: int) -> tuple[torch.Tensor]:
    return (torch.randint(0, 50, (2, 7), generator=torch.Generator().manual_seed(seed)),)


def rows(seed: int) -> tuple[torch.Tensor]:
    return (torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(seed)),)


def fresh(make: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    module = make()
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_mean, -0.2, 0.2)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return module.eval()


def inductor(is_dynamic: bool):
    return x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config(is_dynamic=is_dynamic))


def xnnpack(**config: bool):
    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(**config))


def pt2e() -> Iterator[tuple]:
    quantizers = {
        "x86 static": lambda: inductor(False),
        "x86 dynamic": lambda: inductor(True),
        "xnnpack static": lambda: xnnpack(is_per_channel=True),
        "xnnpack static, one scale": lambda: xnnpack(is_per_channel=False),
        "xnnpack dynamic": lambda: xnnpack(is_per_channel=True, is_dynamic=True),
    }
    for name, quantizer in quantizers.items():
        for make, inputs in ((Pictures, pictures), (Texts, texts)):
            if make is Texts and not name.startswith("x86"):
                continue
            graph = prepare_pt2e(torch.export.export(fresh(make), inputs(0)).module(), quantizer())
            for seed in range(4):
                graph(*inputs(seed))
            converted = convert_pt2e(graph)
            program = torch.export.export(converted, inputs(0))
            yield f"{name} {make.__name__.lower()}", program, inputs
            yield f"{name} {make.__name__.lower()} decomposed", program.run_decompositions(), inputs
    graph = torch.export.export(fresh(Pictures).train(), pictures(0)).module()
    graph = prepare_qat_pt2e(graph, xnnpack(is_per_channel=True, is_qat=True))
    for seed in range(4):
        graph(*pictures(seed))
    graph = convert_pt2e(graph)
    move_exported_model_to_eval(graph)
    yield "xnnpack trained", torch.export.export(graph, pictures(0)), pictures


def torchao() -> Iterator[tuple]:
    configs = {
        "int8 weights": Int8WeightOnlyConfig(),
        "int8": Int8DynamicActivationInt8WeightConfig(),
        "int4 weights": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)),
        "int8 weights by row": IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0)),
        "int8 with int4 weights": Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int4, weight_granularity=PerGroup(32)),
    }
    for name, config in configs.items():
        module = fresh(Layers)
        quantize_(module, copy.deepcopy(config))
        for kind, dynamic in (("", None), (", free size", ({0: torch.export.Dim("n", min=1, max=64)},))):
            program = torch.export.export(module, rows(0), dynamic_shapes=dynamic)
            yield f"{name}{kind}", program, rows
            yield f"{name}{kind} decomposed", program.run_decompositions(), rows


def write(name: str, programs: Iterator[tuple], folder: Path) -> None:
    pack = Pack(name)
    for label, program, inputs in programs:
        runs = []
        module = program.module()
        for seed in (7, 8):
            with torch.no_grad():
                result = module(*inputs(seed))
            # A step of the codes, as large as any of these programs has.
            described = {**pack.tensor(result), "within": float(result.abs().max()) * 0.03}
            runs.append({"inputs": [pack.tensor(t) for t in inputs(seed)], "outputs": [described]})
        program._example_inputs = None
        bare(program)
        place = pack.place(saved(program))
        pack.samples.append({"id": label, "targets": targets_of(program), "core": False, "program": place, "runs": runs})
    print(f"{name}: {len(pack.samples)} programs, {pack.write(folder)} bytes", file=sys.stderr)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    write("pt2e", pt2e(), folder)
    write("torchao", torchao(), folder)


if __name__ == "__main__":
    main()
