"""What splits are called: train, val and test, and the words of file names and tables that mean one of them."""

import re

SPLIT_OF_WORD = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_named_by_file(name: str) -> str | None:
    """Return the split that a whole word of a name tells; None if none does, or several: `latest` is no test."""
    words = re.findall(r"[a-z]+", name.lower())
    found = {SPLIT_OF_WORD[word] for word in words if word in SPLIT_OF_WORD}
    return found.pop() if len(found) == 1 else None
