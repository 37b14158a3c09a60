"""Trains a small network on scikit-learn's iris flowers and exports it."""

import os

import torch
from sklearn.datasets import load_iris

torch.manual_seed(0)
data = load_iris()
flowers = torch.tensor(data.data, dtype=torch.float32)
species = torch.tensor(data.target)


class Iris(torch.nn.Module):
    def __init__(self):
        super().__init__()
        # What is done to the numbers belongs into the model: clients send centimetres.
        self.register_buffer("mean", flowers.mean(0))
        self.register_buffer("deviation", flowers.std(0))
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))

    def forward(self, flower):
        return {"species": self.layers((flower - self.mean) / self.deviation).softmax(-1)}


model = Iris()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for _ in range(100):
    optimizer.zero_grad()
    loss = torch.nn.functional.nll_loss(model(flowers)["species"].log(), species)
    loss.backward()
    optimizer.step()

batch = torch.export.Dim("batch", min=1, max=1024)
# Two rows: PyTorch takes a 1 for a constant, and the batch could not vary.
program = torch.export.export(model.eval(), (flowers[:2],), dynamic_shapes={"flower": {0: batch}})
os.makedirs("models/iris", exist_ok=True)
torch.export.save(program, "models/iris/model.pt2")
with open("models/iris/labels.txt", "w") as labels:
    labels.write("".join(f"{name}\n" for name in data.target_names))
