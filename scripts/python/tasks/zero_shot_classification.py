from transformers import BertForSequenceClassification, RobertaForSequenceClassification, pipeline

from .kit import answers, case, seeded
from .text_models import bert_config, export_text, named, roberta_config
from .vocabularies import TEXTS, byte_level, wordpiece

TASK = "zero-shot-classification"


def zero_shot(folder, model, tokenizer, requests):
    export_text(folder, model, tokenizer, TASK)
    return answers(pipeline(TASK, model=model, tokenizer=tokenizer), requests)


@case(TASK)
def nli_bert(folder):
    tokenizer = wordpiece()
    config = bert_config(tokenizer, **named(["entailment", "neutral", "contradiction"]))
    labels = ["politics", "film and music", "banks"]
    requests = [
        (TEXTS[1], TEXTS[1], {"candidate_labels": labels}),
        (TEXTS[2], TEXTS[2], {"candidate_labels": labels, "multi_label": True}),
        (TEXTS[3], TEXTS[3], {"candidate_labels": "one, two", "hypothesis_template": "It is {}!"}),
        (TEXTS[:3], TEXTS[:3], {"candidate_labels": labels}),
        (TEXTS[1] * 9, TEXTS[1] * 9, {"candidate_labels": labels}),
    ]
    return zero_shot(folder, seeded(BertForSequenceClassification, config), tokenizer, requests)


@case(TASK)
def nli_roberta(folder):
    tokenizer = byte_level()
    config = roberta_config(tokenizer, **named(["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]))
    requests = [
        (text, text, {"candidate_labels": ["a", "b c"], "multi_label": multi})
        for text, multi in ((TEXTS[2], False), (TEXTS[4], True))
    ] + [(TEXTS[0], TEXTS[0], {"candidate_labels": ["alone"]})]
    return zero_shot(folder, seeded(RobertaForSequenceClassification, config), tokenizer, requests)
