"""Makes the small files that the tests of rewrites and of sample inputs read.

    python rewrite_fixtures.py FOLDER

Weights are random with a fixed seed; the files are committed, so that the tests need no Python.
"""

import argparse
import json
from pathlib import Path
from typing import Optional

import torch
from torch import nn


class Keywords(nn.Module):
    """Inputs of several kinds, given by keyword in another order than `forward` has them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, ids, mask, extra):
        embedded = self.table(ids) * mask.unsqueeze(-1)
        return embedded.sum(1) + extra["shift"] * extra["scale"].float()


class Encoder(nn.Module):
    """Embedding, one layer of attention and a convolution: what text and audio models are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.conv = nn.Conv1d(32, 32, 3, padding=1, groups=4)
        self.head = nn.Linear(32, 50)
        self.head.weight = self.table.weight

    def forward(self, ids):
        x = self.encoder(self.table(ids))
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        return self.head(x)


class Branches(nn.Module):
    """A condition on values: an If with a product in either body, whose weights the outer graph holds."""

    def __init__(self) -> None:
        super().__init__()
        self.always = nn.Linear(32, 32)
        self.one = nn.Linear(32, 32)
        self.other = nn.Linear(32, 32)

    def forward(self, x):
        x = self.always(x)
        return torch.cond(x.sum() > 0, lambda y: self.one(y), lambda y: self.other(y), (x,))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 8)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Vision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.Hardswish(),
            nn.Conv2d(16, 32, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, groups=32, padding=1),
            nn.Conv2d(32, 64, 1),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )

    def forward(self, x):
        return self.layers(x)


class Scripted(nn.Module):
    """For TorchScript: one argument that must be stated and one that may be."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 48)
        self.second = nn.Linear(48, 4)

    def forward(self, x, scale: Optional[torch.Tensor] = None):
        y = self.second(torch.relu(self.first(x)))
        return y if scale is None else y * scale


def scripted(folder: Path) -> None:
    model = Scripted().eval()
    torch.jit.freeze(torch.jit.script(model)).save(folder / "scripted.pt")
    x = torch.randn(3, 32)
    with torch.no_grad():
        (folder / "scripted.json").write_text(json.dumps({"x": x.flatten().tolist(), "y": model(x).flatten().tolist()}) + "\n")


def keywords(folder: Path) -> None:
    arguments = {
        "extra": {"scale": torch.tensor([0.5], dtype=torch.bfloat16), "shift": torch.randn(1)},
        "mask": torch.tensor([[1.0, 1.0, 0.0]]),
        "ids": torch.tensor([[3, 9, 0]]),
    }
    program = torch.export.export(Keywords().eval(), (), arguments)
    torch.export.save(program, folder / "keywords.pt2")


class Named(nn.Module):
    def forward(self, inputIds, X__0, x__0, Batch, Scale=None):
        rows = inputIds.sum(1)
        if inputIds.shape[1] % 2 == 1:
            rows = rows * 100
        scaled = Batch["pixelValues"] * Scale
        return {"Logits": scaled + X__0 - x__0, "rows": rows}


def named(folder: Path) -> None:
    """Names that torch.export writes in lower case, two of them the same then; a guard about one of them."""
    one = torch.ones(1)
    arguments = (torch.ones(2, 4, dtype=torch.int64), 2 * one, 3 * one, {"pixelValues": 5 * one})
    free = torch.export.ShapesCollection()
    free[arguments[0]] = (torch.export.Dim("batch", max=64), torch.export.Dim.AUTO)
    program = torch.export.export(Named().eval(), arguments, {"Scale": 7 * one}, dynamic_shapes=free)
    torch.export.save(program, folder / "named.pt2")


def onnx(folder: Path, name: str, model: nn.Module, args: tuple, dynamic: dict) -> None:
    program = torch.export.export(model.eval(), args, dynamic_shapes=dynamic)
    torch.onnx.export(program, (), folder / f"{name}.onnx", dynamo=True, external_data=False, verbose=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    batch = torch.export.Dim("batch", min=1, max=64)
    keywords(folder)
    named(folder)
    rows = torch.export.Dim("length", min=2, max=64)
    onnx(folder, "encoder", Encoder(), (torch.randint(0, 50, (2, 7)),), {"ids": {0: batch, 1: rows}})
    onnx(folder, "branches", Branches(), (torch.randn(2, 32),), {"x": {0: batch}})
    onnx(folder, "recurrent", Recurrent(), (torch.randn(2, 5, 16),), {"x": {0: batch}})
    scripted(folder)
    onnx(folder, "vision", Vision(), (torch.randn(2, 3, 16, 16),), {"x": {0: batch}})


if __name__ == "__main__":
    main()
