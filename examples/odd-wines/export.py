"""Trains an autoencoder on scikit-learn's wines and exports it: how odd is a wine?"""

import os

import torch
from sklearn.datasets import load_wine

torch.manual_seed(0)
wines = torch.tensor(load_wine().data, dtype=torch.float32)


class OddWines(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", wines.mean(0))
        self.register_buffer("deviation", wines.std(0))
        self.narrow = torch.nn.Sequential(torch.nn.Linear(13, 6), torch.nn.Tanh())
        self.wide = torch.nn.Linear(6, 13)

    def forward(self, wine):
        scaled = (wine - self.mean) / self.deviation
        again = self.wide(self.narrow(scaled))
        return {"oddness": (again - scaled).square().mean(-1), "expected": again * self.deviation + self.mean}


model = OddWines()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for _ in range(150):
    optimizer.zero_grad()
    model(wines)["oddness"].mean().backward()
    optimizer.step()

batch = torch.export.Dim("batch", min=1, max=256)
program = torch.export.export(model.eval(), (wines[:2],), dynamic_shapes={"wine": {0: batch}})
os.makedirs("models", exist_ok=True)
torch.export.save(program, "models/odd-wines.pt2")
