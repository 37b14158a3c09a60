"""Trains a recurrent network to go on with waves, and exports it."""

import math
import os

import torch

STEPS = 32


class Series(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = torch.nn.GRU(1, 16, batch_first=True)
        self.head = torch.nn.Linear(16, 1)

    def forward(self, values):
        states, _ = self.recurrent(values.unsqueeze(-1))
        return {"next": self.head(states[:, -1]).squeeze(-1)}


torch.manual_seed(0)
starts = torch.rand(256, 1) * 2 * math.pi
waves = torch.sin(starts + torch.arange(STEPS + 1) * 0.3)
model = Series()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for _ in range(40):
    optimizer.zero_grad()
    (model(waves[:, :-1])["next"] - waves[:, -1]).square().mean().backward()
    optimizer.step()

batch = torch.export.Dim("batch", min=1, max=256)
program = torch.export.export(model.eval(), (waves[:2, :-1],), dynamic_shapes={"values": {0: batch}})
os.makedirs("models", exist_ok=True)
torch.export.save(program, "models/series.pt2")
