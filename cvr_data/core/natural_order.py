"""The order in which people count: "2 words" before "10 words", names after numbers."""

import re

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def natural_order(text: str) -> tuple[list[tuple[int, float, str]], str]:
    """Return what texts are sorted by: their numbers as numbers, all else as text, then the text itself."""
    parts: list[tuple[int, float, str]] = []
    end = 0
    for found in _NUMBER.finditer(text):
        parts += [(1, 0.0, text[end : found.start()])] if found.start() > end else []
        parts.append((0, float(found[0]), ""))
        end = found.end()
    return [*parts, *([(1, 0.0, text[end:])] if end < len(text) else [])], text
