"""Trains a tokenizer and a small model that tells praise from complaint, and writes them with all that a task needs."""

import json
import os

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

PRAISE = "a lovely film|wonderful music and a warm story|i liked it very much|the best evening for years|great and funny|tender and true"
COMPLAINT = "a dull film|terrible music and a cold story|i hated it very much|the worst evening for years|boring and loud|empty and false"
LABELS = {"praise": PRAISE.split("|"), "complaint": COMPLAINT.split("|")}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def train_tokenizer(texts):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


class Moods(torch.nn.Module):
    def __init__(self, words):
        super().__init__()
        self.words = torch.nn.Embedding(words, 16)
        self.head = torch.nn.Linear(16, len(LABELS))

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).float()
        return {"logits": self.head((self.words(input_ids) * mask).sum(1) / mask.sum(1))}


torch.manual_seed(0)
texts = [text for group in LABELS.values() for text in group]
labels = torch.tensor([label for label, group in enumerate(LABELS.values()) for _ in group])
tokenizer = train_tokenizer(texts)
tokenizer.enable_padding(pad_id=0)
encoded = tokenizer.encode_batch(texts)
ids = torch.tensor([one.ids for one in encoded])
mask = torch.tensor([one.attention_mask for one in encoded])
model = Moods(tokenizer.get_vocab_size())
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for _ in range(80):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(ids, mask)["logits"], labels).backward()
    optimizer.step()

folder = "models/moods"
os.makedirs(folder, exist_ok=True)
batch, sequence = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("sequence", min=2, max=64)
dims = {0: batch, 1: sequence}
program = torch.export.export(
    model.eval(), (ids[:2], mask[:2]), dynamic_shapes={"input_ids": dims, "attention_mask": dims}
)
torch.export.save(program, f"{folder}/model.pt2")
tokenizer.no_padding()
tokenizer.save(f"{folder}/tokenizer.json")
FILES = {
    "config.json": {"id2label": dict(enumerate(LABELS))},
    "tokenizer_config.json": {"model_max_length": 64, "pad_token": "[PAD]", "unk_token": "[UNK]"},
}
for name, content in FILES.items():
    with open(f"{folder}/{name}", "w") as file:
        json.dump(content, file, indent=2)
with open(f"{folder}/model.yaml", "w") as file:
    file.write("task: text-classification\n")
