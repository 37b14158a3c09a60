"""Texts as tokens, in the way of the models that were trained with torchtext."""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Optional, Sequence

# What is set apart, and what goes.
_STEPS = [(re.compile(pattern), text) for pattern, text in (
    (r"'", " '  "),
    (r'"', ""),
    (r"\.", " . "),
    (r"<br />", " "),
    (r",", " , "),
    (r"\(", " ( "),
    (r"\)", " ) "),
    (r"!", " ! "),
    (r"\?", " ? "),
    (r"[;:\s]+", " "),
)]


def _basic_english(line: str) -> List[str]:
    line = line.lower()
    for pattern, text in _STEPS:
        line = pattern.sub(text, line)
    return line.split()


def get_tokenizer(tokenizer: Optional[object], language: str = "en") -> Callable[[str], List[str]]:
    """None: words between spaces; "basic_english": words and signs, in small letters; a function: itself."""
    if tokenizer is None:
        return str.split
    if callable(tokenizer):
        return tokenizer
    if tokenizer == "basic_english" and language == "en":
        return _basic_english
    raise ValueError(f"there is no tokenizer {tokenizer!r} for {language!r}")


def ngrams_iterator(token_list: Sequence[str], ngrams: int) -> Iterator[str]:
    """The tokens, then each two that follow one another, and so on up to `ngrams`."""
    for count in range(1, ngrams + 1):
        for start in range(len(token_list) - count + 1):
            yield " ".join(token_list[start : start + count])
