"""Exports a network of torchvision's with its preprocessing: bytes of a picture in, probabilities out."""

import os

import torch
import torchvision

torch.manual_seed(0)


class Pictures(torch.nn.Module):
    def __init__(self):
        super().__init__()
        # weights="DEFAULT" fetches the trained ones.
        self.network = torchvision.models.squeezenet1_1(weights=None)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))

    def forward(self, picture):
        # A client sends pixels as they are: what the network was trained with happens here.
        scaled = (picture.float() / 255 - self.mean) / self.deviation
        return {"classes": self.network(scaled).softmax(-1)}


picture = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
batch = torch.export.Dim("batch", min=1, max=32)
program = torch.export.export(Pictures().eval(), (picture,), dynamic_shapes={"picture": {0: batch}})
os.makedirs("models", exist_ok=True)
torch.export.save(program, "models/pictures.pt2")
