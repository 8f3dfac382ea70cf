"""A user's own synonyms: groups of words that are one, a line each."""

from pathlib import Path

from cvr_data.core.errors import CvrError
from cvr_data.core.reading import read_text
from cvr_data.language.words import words_of


def read_synonyms(path: Path | None) -> dict[str, str]:
    """Return word -> first word of its line.

    Raises:
        CvrError: no such file, or a word in two groups.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise CvrError(f"No file of synonyms at {path}; it has one group a line: big, large, huge")
    stands_for: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        group = [said for word in line.split(",") if (said := " ".join(words_of(word)))]
        for word in group:
            if stands_for.setdefault(word, group[0]) != group[0]:
                raise CvrError(f"{path}, line {number}: {word!r} is in two groups; a word stands for one other only.")
    return stands_for
