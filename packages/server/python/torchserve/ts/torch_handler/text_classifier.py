"""The classes of texts. One text a batch."""

from __future__ import annotations

import torch
from torch.nn import functional

from ..handler_utils.text_utils import ngrams_iterator
from ..utils.util import map_class_to_label
from .text_handler import TextHandler


class TextClassifier(TextHandler):
    """For models that take the numbers of tokens and of pairs of them, and where each text begins (`torch.nn.EmbeddingBag`)."""

    ngrams = 2

    def preprocess(self, data):
        """The first text's numbers, and its tokens: without markup, accents, contractions and punctuation, in small letters."""
        text = data[0].get("data") or data[0].get("body")
        if isinstance(text, (bytes, bytearray)):
            text = text.decode("utf-8")
        text = self._expand_contractions(self._remove_html_tags(text).lower())
        tokens = self._tokenize(self._remove_punctuation(self._remove_accented_characters(text)))
        numbers = [self.source_vocab[token] for token in ngrams_iterator(tokens, self.ngrams)]
        return torch.as_tensor(numbers, device=self.device), tokens

    def inference(self, data, *args, **kwargs):
        numbers, _ = data
        return super().inference(numbers, torch.as_tensor([0], device=self.device))

    def postprocess(self, data):
        return map_class_to_label(functional.softmax(data, dim=1).tolist(), self.mapping)

    def get_insights(self, text_preprocess, _, target=0):
        """How much each token weighs. Needs captum."""
        from captum.attr import LayerIntegratedGradients, TokenReferenceBase

        numbers, tokens = text_preprocess
        reference = TokenReferenceBase().generate_reference(numbers.shape[0], device=self.device).squeeze(0)
        attributions = LayerIntegratedGradients(self.model, self.model.embedding).attribute(
            numbers,
            reference,
            additional_forward_args=torch.tensor([0], device=self.device),
            return_convergence_delta=False,
            target=target,
        )
        return [{"importances": self.summarize_attributions(attributions).tolist(), "words": self.get_word_token(tokens)}]
