from transformers import BertForTokenClassification, RobertaForTokenClassification, pipeline

from .kit import answers, case, seeded
from .text_models import bert_config, export_text, named, roberta_config
from .vocabularies import TEXTS, byte_level, unigram, wordpiece

TASK = "token-classification"
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def tokens(folder, model, tokenizer):
    export_text(folder, model, tokenizer, TASK)
    requests = [(text, text, {}) for text in TEXTS] + [
        (text, text, {"aggregation_strategy": strategy})
        for text in TEXTS[2:5]
        for strategy in ("simple", "first", "average", "max")
    ]
    requests.append((TEXTS[1], TEXTS[1], {"ignore_labels": []}))
    requests.append((TEXTS[:2], TEXTS[:2], {"aggregation_strategy": "simple"}))
    return answers(pipeline(TASK, model=model, tokenizer=tokenizer), requests)


@case(TASK)
def tokens_bert(folder):
    tokenizer = wordpiece(lowercase=False)
    return tokens(folder, seeded(BertForTokenClassification, bert_config(tokenizer, **named(LABELS))), tokenizer)


@case(TASK)
def tokens_roberta(folder):
    tokenizer = byte_level()
    config = roberta_config(tokenizer, **named(LABELS))
    return tokens(folder, seeded(RobertaForTokenClassification, config), tokenizer)


@case(TASK)
def tokens_unigram(folder):
    tokenizer = unigram()
    config = roberta_config(tokenizer, **named(LABELS))
    return tokens(folder, seeded(RobertaForTokenClassification, config), tokenizer)
