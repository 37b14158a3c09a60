"""Trains a recommender on made-up ratings and exports it: people and films by number, a rating out."""

import os

import torch

PEOPLE, FILMS = 60, 40


class Ratings(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.people = torch.nn.Embedding(PEOPLE, 8)
        self.films = torch.nn.Embedding(FILMS, 8)

    def forward(self, person, film):
        return {"rating": 1 + 4 * (self.people(person) * self.films(film)).sum(-1).sigmoid()}


torch.manual_seed(0)
# Even people like even films, odd people odd ones.
person = torch.arange(PEOPLE).repeat_interleave(FILMS)
film = torch.arange(FILMS).repeat(PEOPLE)
rating = torch.where(person % 2 == film % 2, 4.5, 1.5)
model = Ratings()
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for _ in range(60):
    optimizer.zero_grad()
    (model(person, film)["rating"] - rating).square().mean().backward()
    optimizer.step()

pairs = torch.export.Dim("pairs", min=1, max=4096)
program = torch.export.export(
    model.eval(), (person[:2], film[:2]), dynamic_shapes={"person": {0: pairs}, "film": {0: pairs}}
)
os.makedirs("models", exist_ok=True)
torch.export.save(program, "models/ratings.pt2")
