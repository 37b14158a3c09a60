from transformers import BertModel, DistilBertConfig, DistilBertModel, pipeline

from .kit import answers, case, seeded
from .text_models import bert_config, export_text
from .vocabularies import LENGTH, TEXTS, unigram, wordpiece

TASK = "feature-extraction"


def extract(folder, model, tokenizer):
    export_text(folder, model, tokenizer, TASK)
    requests = [(text, text, {}) for text in TEXTS[:4]] + [(TEXTS[:2], TEXTS[:2], {})]
    return answers(pipeline(TASK, model=model, tokenizer=tokenizer), requests)


@case(TASK)
def features_bert(folder):
    tokenizer = wordpiece(lowercase=False)
    return extract(folder, seeded(BertModel, bert_config(tokenizer)), tokenizer)


@case(TASK)
def features_distilbert(folder):
    tokenizer = unigram()
    sizes = {"max_position_embeddings": LENGTH, "dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64}
    config = DistilBertConfig(vocab_size=len(tokenizer), **sizes)
    return extract(folder, seeded(DistilBertModel, config), tokenizer)
