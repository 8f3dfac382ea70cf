"""How BLIP and CoVR clean a text before they encode it.

Source: pre_caption of https://github.com/salesforce/BLIP (data/utils.py), which CoVR uses too.
"""

import re

WORDS = 30


def clean_text_for_encoder(text: str, words: int = WORDS) -> str:
    """Return the text in lower case, each of . ! " ( ) * # : ; ~ as a space, spaces collapsed, cut to 30 words."""
    spaced = re.sub(r"[.!\"()*#:;~]", " ", text.lower())
    collapsed = re.sub(r"\s{2,}", " ", spaced).strip("\n").strip(" ")
    return " ".join(collapsed.split(" ")[:words])
