"""Texts as handlers of models with a vocabulary of their own take them."""

from __future__ import annotations

import os
import re
import string
import unicodedata
from abc import ABC

import torch
from torch.nn import functional

from ..handler_utils.text_utils import get_tokenizer
from . import base_handler
from .base_handler import BaseHandler
from .contractions import CONTRACTION_MAP

_MARKUP = re.compile("<.*?>|&([a-z0-9]+|#[0-9]{1,6}|#x[0-9a-f]{1,6});")
_CONTRACTION = re.compile("|".join(CONTRACTION_MAP), re.IGNORECASE)


class TextHandler(BaseHandler, ABC):
    """Reads the vocabulary of the archive, `source_vocab.pt`: numbers by token."""

    def __init__(self) -> None:
        super().__init__()
        self.source_vocab = None
        self.tokenizer = get_tokenizer("basic_english")
        self.input_text = None
        self.lig = None

    def initialize(self, context) -> None:
        super().initialize(context)
        path = self.manifest["model"].get("sourceVocab") or self.get_source_vocab_path(context)
        self.source_vocab = torch.load(path, weights_only=not base_handler.ALLOWS_PICKLE)

    def get_source_vocab_path(self, ctx) -> str:
        path = os.path.join(ctx.system_properties["model_dir"], "source_vocab.pt")
        if not os.path.isfile(path):
            raise RuntimeError("the archive has no source_vocab.pt: pack it with --extra-files source_vocab.pt")
        return path

    def _expand_contractions(self, text: str) -> str:
        def long(match: re.Match) -> str:
            # The first letter stays as it was written.
            return match[0][0] + CONTRACTION_MAP[match[0].lower()][1:]

        return _CONTRACTION.sub(long, text).replace("'", "")

    def _remove_accented_characters(self, text: str) -> str:
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()

    def _remove_html_tags(self, text: str) -> str:
        return _MARKUP.sub("", text)

    def _remove_punctuation(self, text: str) -> str:
        return text.translate(str.maketrans("", "", string.punctuation))

    # Under the name that older handlers call it by.
    _remove_puncutation = _remove_punctuation

    def _tokenize(self, text: str) -> list:
        return self.tokenizer(text)

    def get_word_token(self, input_tokens) -> list:
        # The sign for a space in the tokens of byte-pair encodings.
        return [token.replace("\u0120", "") for token in input_tokens]

    def summarize_attributions(self, attributions: torch.Tensor) -> torch.Tensor:
        attributions = functional.softmax(attributions, dim=-1)
        return attributions / torch.norm(attributions.sum(dim=-1))
