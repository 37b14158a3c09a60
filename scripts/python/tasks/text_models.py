"""Small models of text: what they share."""

from transformers import BertConfig, RobertaConfig

from .kit import BATCH, SEQUENCE, write
from .vocabularies import LENGTH

SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


def bert_config(tokenizer, **more):
    return BertConfig(vocab_size=len(tokenizer), max_position_embeddings=LENGTH, **SMALL, **more)


def roberta_config(tokenizer, **more):
    positions = {"max_position_embeddings": LENGTH + 2, "pad_token_id": 1}
    return RobertaConfig(vocab_size=len(tokenizer), **positions, **SMALL, **more)


def named(labels):
    return {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}


def export_text(folder, model, tokenizer, task, options=""):
    """Writes a model of token ids that takes rows of any length."""
    feeds = dict(tokenizer(["one two three", "four five six"], padding=True, return_tensors="pt"))
    dynamic = {name: {0: BATCH, 1: SEQUENCE} for name in feeds}
    write(folder, model, feeds, dynamic, task=task, options=options)
    tokenizer.save_pretrained(folder)


