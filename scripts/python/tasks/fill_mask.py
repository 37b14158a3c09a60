from transformers import BertForMaskedLM, RobertaForMaskedLM, pipeline

from .kit import answers, case, seeded
from .text_models import bert_config, export_text, roberta_config
from .vocabularies import byte_level, wordpiece

TASK = "fill-mask"


def fill(folder, model, tokenizer, requests):
    export_text(folder, model, tokenizer, TASK)
    return answers(pipeline(TASK, model=model, tokenizer=tokenizer), requests)


@case(TASK)
def mask_bert(folder):
    tokenizer = wordpiece()
    requests = [
        ("The quick [MASK] fox, is tired.", "The quick [MASK] fox, is tired.", {}),
        ("[MASK] met [MASK] in Berlin", "[MASK] met [MASK] in Berlin", {"top_k": 2}),
        ("A [MASK] film", "A [MASK] film", {"targets": ["good", "dog", "tenderness"]}),
        (["One [MASK].", "Two [MASK]!"], ["One [MASK].", "Two [MASK]!"], {"top_k": 1}),
    ]
    return fill(folder, seeded(BertForMaskedLM, bert_config(tokenizer)), tokenizer, requests)


@case(TASK)
def mask_roberta(folder):
    tokenizer = byte_level()
    requests = [
        ("The quick <mask> fox.", "The quick <mask> fox.", {}),
        ("Äpfel und <mask>, naïve", "Äpfel und <mask>, naïve", {"top_k": 3}),
    ]
    return fill(folder, seeded(RobertaForMaskedLM, roberta_config(tokenizer)), tokenizer, requests)
