"""Trains a small network that tells photographs of buildings from those of flowers, and writes it with all that a task needs."""

import json
import os

import torch
from sklearn.datasets import load_sample_image

LABELS = {"building": "china.jpg", "flower": "flower.jpg"}
SIZE = 32


def patches(name, count, generator):
    """Squares of a photograph, as the model is going to see them."""
    image = torch.tensor(load_sample_image(name)).permute(2, 0, 1)[None].float() / 255
    found = []
    for _ in range(count):
        edge = int(torch.randint(96, 400, (), generator=generator))
        top, left = (int(torch.randint(0, size - edge, (), generator=generator)) for size in image.shape[2:])
        patch = image[:, :, top : top + edge, left : left + edge]
        found.append(torch.nn.functional.interpolate(patch, (SIZE, SIZE), mode="bilinear", antialias=True))
    return (torch.cat(found) - 0.5) / 0.5


class Scenes(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, stride=2, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(16, 24, 3, stride=2, padding=1),
            torch.nn.ReLU(),
        )
        self.head = torch.nn.Linear(24, len(LABELS))

    def forward(self, pixel_values):
        return {"logits": self.head(self.body(pixel_values).mean((2, 3)))}


torch.manual_seed(0)
generator = torch.Generator().manual_seed(0)
images = torch.cat([patches(name, 64, generator) for name in LABELS.values()])
labels = torch.arange(len(LABELS)).repeat_interleave(64)
model = Scenes()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(60):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(images)["logits"], labels).backward()
    optimizer.step()

folder = "models/scenes"
os.makedirs(folder, exist_ok=True)
batch = torch.export.Dim("batch", min=1, max=64)
program = torch.export.export(model.eval(), (images[:2],), dynamic_shapes={"pixel_values": {0: batch}})
torch.export.save(program, f"{folder}/model.pt2")
FILES = {
    "config.json": {"id2label": dict(enumerate(LABELS))},
    "preprocessor_config.json": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": SIZE, "width": SIZE},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    },
}
for name, content in FILES.items():
    with open(f"{folder}/{name}", "w") as file:
        json.dump(content, file, indent=2)
with open(f"{folder}/model.yaml", "w") as file:
    file.write("task: image-classification\n")
