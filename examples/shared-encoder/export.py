"""Trains an encoder of scikit-learn's digits with two heads, which digit it is and whether it is odd, and exports the three apart."""

import os

import torch
from sklearn.datasets import load_digits

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32) / 16
labels = torch.tensor(digits.target)


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU())

    def forward(self, image):
        return {"features": self.layers(image)}


class Head(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer = torch.nn.Linear(32, classes)

    def forward(self, features):
        return {"probabilities": self.layer(features).softmax(-1)}


encoder, which, odd = Encoder(), Head(10), Head(2)
optimizer = torch.optim.Adam([*encoder.parameters(), *which.parameters(), *odd.parameters()], lr=0.01)
for _ in range(120):
    optimizer.zero_grad()
    features = encoder(images)["features"]
    loss = torch.nn.functional.cross_entropy(which.layer(features), labels)
    (loss + torch.nn.functional.cross_entropy(odd.layer(features), labels % 2)).backward()
    optimizer.step()

batch = torch.export.Dim("batch", min=1, max=256)
for name, model, example, argument in [
    ("encoder", encoder, images[:2], "image"),
    ("which-digit", which, features[:2].detach(), "features"),
    ("is-odd", odd, features[:2].detach(), "features"),
]:
    os.makedirs("models", exist_ok=True)
    program = torch.export.export(model.eval(), (example,), dynamic_shapes={argument: {0: batch}})
    torch.export.save(program, f"models/{name}.pt2")

os.makedirs("models/digit-facts", exist_ok=True)
with open("models/digit-facts/model.yaml", "w") as file:
    file.write("""pipeline:
  steps:
    - model: encoder
    - model: which-digit
      outputs: {probabilities: digit}
    - model: is-odd
      outputs: {probabilities: odd}
""")
