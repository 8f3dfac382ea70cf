"""The table of words and meanings that the package carries, cvr_data/language/wordnet, made from WordNet's files.

    apt-get download wordnet-base && dpkg -x wordnet-base_*.deb unpacked
    python annotations/make_lexicon.py unpacked/usr/share cvr_data/language/wordnet

Of WordNet 3.0 it keeps the words of at most two parts with their meanings in order of frequency, and of each meaning
the file it stands in (person, animal, artifact ...), the meaning above it, and for verbs those grouped with it and the
numbers of the sentence frames that it stands in (2 is "somebody ----s", 8 "somebody ----s something"). Names of persons
and Latin ones are left out, those of places come after other meanings ("turkey"). The same files give the
same bytes. WordNet's licence is copied beside the tables.

Source: Princeton University, WordNet 3.0, https://wordnet.princeton.edu (format: its wndb(5) page).
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from cvr_data.core.whole_files import write_bytes

PARTS = ("noun", "verb", "adj", "adv")
MEANINGS_PER_WORD = 6
WORD_PARTS = 2
MOST_COUNTED = 255
ABOVE = ("@", "@i")
ATTRIBUTE = "="
NEAR = "&"
GROUPED = "$"
NAME_OF_PERSON = 18
"""The file noun.person; what is an instance there is a name."""

LIVING = (5, 20)
"""The files noun.animal and noun.plant."""


class Synset(NamedTuple):
    """One meaning as WordNet's data files have it; a key is a part of speech and an offset."""

    file: int
    words: tuple[str, ...]
    above: tuple[tuple[str, int], ...]
    attributes: tuple[tuple[str, int], ...]
    near: tuple[tuple[str, int], ...]
    grouped: tuple[tuple[str, int], ...]
    frames: tuple[int, ...]
    is_instance: bool


PART_OF_LETTER = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}


def synsets(folder: Path) -> dict[tuple[str, int], Synset]:
    """Return every meaning of WordNet's four data files."""
    found = {}
    for part in PARTS:
        for line in _lines(folder / f"data.{part}"):
            fields = line.split("|")[0].split()
            words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            start = 4 + 2 * len(words)
            pointers = defaultdict(list)
            for at in range(start + 1, start + 1 + 4 * int(fields[start]), 4):
                symbol, offset, letter = fields[at : at + 3]
                pointers[symbol].append((PART_OF_LETTER[letter], int(offset)))
            found[part, int(fields[0])] = Synset(
                int(fields[1]), tuple(words), tuple(key for symbol in ABOVE for key in pointers[symbol]),
                tuple(pointers[ATTRIBUTE]), tuple(pointers[NEAR]), tuple(pointers[GROUPED]),
                _sentence_frames(fields[start + 1 + 4 * int(fields[start]) :]), bool(pointers["@i"]),
            )  # fmt: skip
    return found


def _sentence_frames(fields: list[str]) -> tuple[int, ...]:
    """Return the numbers of the frames of a verb's meaning, from the fields after its pointers: count, "+ 8 00" ..."""
    return tuple(sorted({int(number) for number in fields[2::3]}))


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file but those of the licence at its top, which begin with two spaces."""
    with path.open(encoding="utf-8") as lines:
        yield from (line for line in lines if not line.startswith("  "))


def counts(folder: Path) -> dict[tuple[str, str, int], int]:
    """Return how often each (word, part, number of the meaning) stands in the texts that WordNet counted."""
    letters = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
    found: dict[tuple[str, str, int], int] = defaultdict(int)
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, number, count = line.split()
        word, rest = key.split("%")
        found[word, letters[rest[0]], int(number)] += int(count)
    return found


def write(folder: Path, out: Path) -> None:
    """Write the two tables from WordNet's files."""
    meanings = synsets(folder)
    rows = _words(folder, meanings)
    used = _with_those_above({key for *_, keys, _ in rows for key in keys}, meanings)
    number_of = {key: number for number, key in enumerate(sorted(used))}
    columns = {
        "word": pa.array([word for word, *_ in rows]),
        "part": pa.array([PARTS.index(part) for _, part, *_ in rows], pa.uint8()),
        "meanings": pa.array([[number_of[key] for key in keys] for *_, keys, _ in rows], pa.list_(pa.uint32())),
        "counts": pa.array([tally for *_, tally in rows], pa.list_(pa.uint8())),
    }
    _write(out / "words.parquet", pa.table(columns))
    ordered = [meanings[key] for key in sorted(used)]

    def numbers(keys: tuple[tuple[str, int], ...]) -> list[int]:
        return [number_of[key] for key in keys if key in number_of]

    columns = {
        "part": pa.array([PARTS.index(part) for part, _ in sorted(used)], pa.uint8()),
        "file": pa.array([meaning.file for meaning in ordered], pa.uint8()),
        "above": pa.array([numbers(meaning.above) for meaning in ordered], pa.list_(pa.uint32())),
        "axes": pa.array([numbers(_axes(meaning, meanings)) for meaning in ordered], pa.list_(pa.uint32())),
        "grouped": pa.array([numbers(meaning.grouped) for meaning in ordered], pa.list_(pa.uint32())),
        "frames": pa.array([meaning.frames for meaning in ordered], pa.list_(pa.uint8())),
    }
    _write(out / "meanings.parquet", pa.table(columns))


def _write(path: Path, table: pa.Table) -> None:
    buffer = pa.BufferOutputStream()
    encodings = {
        name: "DELTA_BYTE_ARRAY" if name == "word" else "DELTA_BINARY_PACKED"
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
        if not pa.types.is_list(kind)
    }
    encodings |= {f"{name}.list.element": "DELTA_BINARY_PACKED" for name in table.column_names if name not in encodings}
    pq.write_table(table, buffer, compression="zstd", compression_level=19, use_dictionary=False,
                   write_statistics=False, column_encoding=encodings)  # fmt: skip
    write_bytes(path, buffer.getvalue().to_pybytes())


def _words(folder: Path, meanings: dict[tuple[str, int], Synset]) -> list[tuple]:
    """Return word, part, keys of its meanings and their counts, most frequent meaning first."""
    counted = counts(folder)
    rows = []
    for part in PARTS:
        for line in _lines(folder / f"index.{part}"):
            fields = line.split()
            offsets = [int(offset) for offset in fields[-int(fields[2]) :]]
            keys, tally = [], []
            numbered = enumerate(offsets[:MEANINGS_PER_WORD], 1)
            for number, offset in sorted(numbered, key=lambda pair: meanings[part, pair[1]].is_instance):
                if not _is_name(meanings[part, offset]):
                    keys.append((part, offset))
                    tally.append(min(counted[fields[0], part, number], MOST_COUNTED))
            if keys and fields[0].count("_") < WORD_PARTS:
                rows.append((fields[0].replace("_", " "), part, keys, tally))
    return sorted(rows)


def _is_name(meaning: Synset) -> bool:
    """Whether a meaning is a person or a Latin name, which captions hardly have."""
    if meaning.is_instance:
        return meaning.file == NAME_OF_PERSON
    return meaning.file in LIVING and all(word[0].isupper() for word in meaning.words)


def _with_those_above(keys: set, meanings: dict[tuple[str, int], Synset]) -> set:
    """Return the meanings with all above them, and the axes of adjectives with theirs."""
    found, open_keys = set(), list(keys)
    while open_keys:
        key = open_keys.pop()
        if key not in found:
            found.add(key)
            open_keys += [*meanings[key].above, *_axes(meanings[key], meanings)]
    return found


def _axes(meaning: Synset, meanings: dict[tuple[str, int], Synset]) -> tuple[tuple[str, int], ...]:
    """Return the nouns that say of what an adjective is a value (size, age), its own or those of what it is near to."""
    return meaning.attributes or tuple(key for near in meaning.near for key in meanings[near].attributes)


def main() -> None:
    """Make the tables, and the licence beside them."""
    share, out = map(Path, sys.argv[1:])
    write(share / "wordnet", out)
    notice = (share / "doc" / "wordnet-base" / "copyright").read_bytes()
    write_bytes(out / "LICENSE", notice)


if __name__ == "__main__":
    main()
