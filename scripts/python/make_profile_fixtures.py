"""Makes small programs with modules inside modules, for the tests of `sconce profile`.

    python make_profile_fixtures.py FOLDER
"""

import re
import sys
from pathlib import Path

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)

    def forward(self, x):
        query, key, value = (part(x).unflatten(-1, (2, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        return nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


class Layer(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.attention = Attention(size)
        self.norm = nn.LayerNorm(size)
        self.up = nn.Linear(size, 4 * size)
        self.down = nn.Linear(4 * size, size)

    def forward(self, x):
        x = self.norm(x + self.attention(x))
        return x + self.down(nn.functional.gelu(self.up(x)))


class Encoder(nn.Module):
    def __init__(self, size: int = 16):
        super().__init__()
        self.words = nn.Embedding(2, size)
        self.layers = nn.ModuleList([Layer(size) for _ in range(2)])
        self.head = nn.Linear(size, 3)

    def forward(self, ids):
        x = self.words(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1)).softmax(-1)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        inner = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class Convnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(Block(8, 16), Block(16, 16))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, 4)

    def forward(self, image):
        return self.head(self.pool(self.blocks(self.stem(image))).flatten(1))


def exported(module: nn.Module, inputs: torch.Tensor, shapes: object, path: Path) -> None:
    """With no word of the machine that it was made on."""
    program = torch.export.export(module, (inputs,), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        trace = node.meta.get("stack_trace")
        if trace is not None:
            inside = re.sub(r'File "[^"]*/site-packages/', 'File "/python/site-packages/', trace)
            node.meta["stack_trace"] = re.sub(r'File "[^"]*/scripts/python/\w+', 'File "/app/model', inside)
    torch.export.save(program, path)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    encoder, convnet = Encoder().eval(), Convnet().eval()
    ids, image = torch.randint(0, 2, (2, 12)), torch.rand(2, 3, 16, 16)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    exported(encoder, ids, (batch,), folder / "encoder.pt2")
    exported(convnet, image, (batch,), folder / "convnet.pt2")
    torch.jit.trace(encoder, ids).save(folder / "traced.pt")


if __name__ == "__main__":
    main()
