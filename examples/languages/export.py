"""Trains a small text model that tells languages apart by their letters, and exports it."""

import os

import torch

TEXTS = {
    "english": "the quick brown fox jumps over the lazy dog and where there is a will there is a way which everybody knows to be the truth",
    "german": "der schnelle braune fuchs springt über den faulen hund und wo ein wille ist da ist auch ein weg was jeder für wahr hält",
    "french": "le vif renard brun saute par-dessus le chien paresseux et quand on veut on peut ce que tout le monde sait être la vérité",
    "spanish": "el rápido zorro marrón salta sobre el perro perezoso y donde hay voluntad hay un camino que todos saben que es la verdad",
}
CODES = 512
LENGTH = 24


def encode(text):
    return [min(ord(letter), CODES - 1) for letter in text]


class Languages(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = torch.nn.Embedding(CODES, 24, padding_idx=0)
        self.pairs = torch.nn.Conv1d(24, 48, 3, padding=1)
        self.head = torch.nn.Linear(48, len(TEXTS))

    def forward(self, text):
        is_letter = (text != 0).unsqueeze(1)
        seen = self.pairs(self.letters(text).transpose(1, 2)).relu() * is_letter
        # Padding counts for nothing, so that texts of different lengths can share a run.
        return {"language": self.head(seen.sum(-1) / is_letter.sum(-1)).softmax(-1)}


torch.manual_seed(0)
windows = [
    (encode(text[start : start + LENGTH]), label)
    for label, text in enumerate(TEXTS.values())
    for start in range(len(text) - LENGTH)
]
texts = torch.tensor([codes for codes, _ in windows])
labels = torch.tensor([label for _, label in windows])
model = Languages()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(30):
    optimizer.zero_grad()
    torch.nn.functional.nll_loss(model(texts)["language"].log(), labels).backward()
    optimizer.step()

batch = torch.export.Dim("batch", min=1, max=64)
length = torch.export.Dim("length", min=4, max=1024)
program = torch.export.export(model.eval(), (texts[:2],), dynamic_shapes={"text": {0: batch, 1: length}})
os.makedirs("models/languages", exist_ok=True)
torch.export.save(program, "models/languages/model.pt2")
with open("models/languages/labels.txt", "w") as file:
    file.write("".join(f"{name}\n" for name in TEXTS))
with open("models/languages/model.yaml", "w") as file:
    file.write("pad_symbol: sequence   # as sconce inspect calls it: texts that wait are padded with zeros to one length, and share runs\n")
