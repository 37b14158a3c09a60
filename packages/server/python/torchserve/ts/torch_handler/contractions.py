"""English contractions and what they stand for, in small letters."""

from __future__ import annotations

_BY_ENDING = {
    ("n't", " not"): "are could did does do had has have is may might must need ought should was were would",
    ("'ve", " have"): "could i might must should so they to we what when where who why will would you",
    ("'d", " would"): "he i it she that there they we you",
    ("'d", " did"): "how where",
    ("'ll", " will"): "he how i it she they we what who you",
    ("'s", " is"): "he how it she that there what when where who why",
    ("'m", " am"): "i",
    ("'re", " are"): "they we what you",
}
_IRREGULAR = {
    "ain't": "is not",
    "can't": "cannot",
    "'cause": "because",
    "let's": "let us",
    "ma'am": "madam",
    "o'clock": "of the clock",
    "shan't": "shall not",
    "sha'n't": "shall not",
    "so's": "so as",
    "won't": "will not",
    "y'all": "you all",
}

CONTRACTION_MAP = {
    **{word + ending: word + long for (ending, long), words in _BY_ENDING.items() for word in words.split()},
    **_IRREGULAR,
}
