"""Writes the programs of the benchmark of what checks cost.

    python bench_checks.py FOLDER

FOLDER/encoder.pt2 is of BERT-base's size, [n, 128] ids; FOLDER/tables.pt2 is a recommender with 26 embedding tables, [n, 13] numbers and 26 inputs of [n] ids.
"""

import sys
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(sys.argv[1])
BATCH = torch.export.Dim("batch", min=1, max=4096)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30522, 768), nn.Embedding(512, 768)
        layer = nn.TransformerEncoderLayer(768, 12, 3072, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.layers(self.words(ids) + self.places.weight[: ids.shape[1]])


class Tables(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(10_000, 64) for _ in range(26))
        self.below = nn.Sequential(nn.Linear(13, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())
        self.above = nn.Sequential(nn.Linear(64 + 351, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 1))
        self.register_buffer("pairs", torch.tril_indices(27, 27, -1))

    def forward(self, numbers: torch.Tensor, *ids: torch.Tensor) -> torch.Tensor:
        dense = self.below(numbers)
        rows = torch.stack([dense, *(table(column) for table, column in zip(self.tables, ids))], 1)
        products = (rows @ rows.transpose(1, 2))[:, self.pairs[0], self.pairs[1]]
        return self.above(torch.cat([dense, products], 1)).sigmoid()


def main() -> None:
    torch.manual_seed(0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    ids = torch.zeros(2, 128, dtype=torch.int64)
    rows = {0: BATCH}
    columns = [torch.zeros(2, dtype=torch.int64) for _ in range(26)]
    work = {"encoder": (Encoder(), (ids,), (rows,)), "tables": (Tables(), (torch.zeros(2, 13), *columns), (rows, (rows,) * 26))}
    for name, (model, args, sizes) in work.items():
        path = FOLDER / f"{name}.pt2"
        if not path.exists():
            torch.export.save(torch.export.export(model.eval(), args, dynamic_shapes=sizes), path)


main()
