"""Exports two versions of one model into the folder layout that Triton has, too: models/NAME/VERSION/model.pt2."""

import os

import torch


class Price(torch.nn.Module):
    def __init__(self, per_metre, base):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.layer.weight, per_metre)
        torch.nn.init.constant_(self.layer.bias, base)

    def forward(self, metres):
        return {"price": self.layer(metres)}


batch = torch.export.Dim("batch", min=1, max=64)
for version, (per_metre, base) in {"1": (100.0, 5000.0), "2": (120.0, 4500.0)}.items():
    os.makedirs(f"models/price/{version}", exist_ok=True)
    program = torch.export.export(
        Price(per_metre, base).eval(), (torch.zeros(2, 1),), dynamic_shapes={"metres": {0: batch}}
    )
    torch.export.save(program, f"models/price/{version}/model.pt2")
with open("models/price/model.yaml", "w") as file:
    file.write("version_policy: all      # default: the latest alone\n")
