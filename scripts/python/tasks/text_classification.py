from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    pipeline,
)

from .kit import answers, case, seeded
from .text_models import SMALL, export_text
from .vocabularies import LENGTH, TEXTS, byte_level, unigram, wordpiece

TASK = "text-classification"


def texts(folder, model, tokenizer, requests):
    export_text(folder, model, tokenizer, TASK)
    return answers(pipeline(TASK, model=model, tokenizer=tokenizer), requests)


@case(TASK)
def bert(folder):
    tokenizer = wordpiece()
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=LENGTH, num_labels=3, **SMALL)
    pair = {"text": "Nobody answers the phone.", "text_pair": "The phone is answered."}
    requests = [(text, text, {}) for text in TEXTS] + [
        (TEXTS, TEXTS, {}),
        (TEXTS[1], TEXTS[1], {"top_k": 2}),
        (TEXTS[:2], TEXTS[:2], {"top_k": None}),
        (TEXTS[1], TEXTS[1], {"function_to_apply": "sigmoid", "top_k": 3}),
        (pair, pair, {}),
    ]
    return texts(folder, seeded(BertForSequenceClassification, config), tokenizer, requests)


@case(TASK)
def roberta(folder):
    tokenizer = byte_level()
    labels = {0: "negative", 1: "positive"}
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=LENGTH + 2,
        pad_token_id=1,
        id2label=labels,
        label2id={name: i for i, name in labels.items()},
        **SMALL,
    )
    requests = [(text, text, {}) for text in TEXTS]
    return texts(folder, seeded(RobertaForSequenceClassification, config), tokenizer, requests)


@case(TASK)
def distilbert(folder):
    tokenizer = unigram()
    config = DistilBertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=LENGTH,
        dim=32,
        n_layers=1,
        n_heads=2,
        hidden_dim=64,
        num_labels=3,
        problem_type="multi_label_classification",
    )
    requests = [(text, text, {"top_k": None}) for text in TEXTS]
    return texts(folder, seeded(DistilBertForSequenceClassification, config), tokenizer, requests)
