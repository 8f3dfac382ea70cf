"""Captions parsed by spaCy: the words of each, what they depend on, and where they stand in the text.

    table = parse_sentences(["A dog runs on sand.", "rain"])  # a row per text: words, tags, lemmas, deps, heads, starts
    dog = next(sentences(table))                          # the same as plain tuples
    dog.words, dog.deps, dog.heads                        # ("a", "dog", ...), ("det", "nsubj", ...), (1, 2, ...)

Words are cut as the normaliser cuts them (hyphenated words stay whole), but "'s" and "n't" are words of their own, as
they are to the parser, and punctuation stays. Parsing costs most of all that language does: parse each distinct caption
once, keep the table.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.language.lexicon import read_lexicon
from cvr_data.language.tagging import english, lemmas
from cvr_data.language.tree import Tree
from cvr_data.language.trees import repaired_tree

BATCH = 256
MOST_WORDS = 120
"""Words of a caption that are parsed; what follows is cut off, as nothing that is seen takes more."""

WORDS = pa.list_(pa.string())
PARSED = pa.schema(
    [("text", pa.string()), ("words", WORDS), ("tags", WORDS), ("lemmas", WORDS), ("deps", WORDS),
     ("heads", pa.list_(pa.int16())), ("starts", pa.list_(pa.int32()))]
)  # fmt: skip
"""Words are in lower case, tags Penn's, deps ClearNLP's, heads and starts numbers of words and of characters."""

_PIECE = re.compile(r"\S+")
_CORE = re.compile(r"[^\W_](?:.*[^\W_])?", re.DOTALL)
_CLITIC = re.compile(r"(?<=\w)(?:'s|’s|n't|n’t|'re|'ve|'ll|'m|'d)$", re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """One parsed caption; all tuples have an item per word."""

    text: str
    words: tuple[str, ...]
    tags: tuple[str, ...]
    lemmas: tuple[str, ...]
    deps: tuple[str, ...]
    heads: tuple[int, ...]
    starts: tuple[int, ...]

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The words that depend on each word, in order."""
        found: list[list[int]] = [[] for _ in self.words]
        for word, head in enumerate(self.heads):
            if head != word:
                found[head].append(word)
        return tuple(map(tuple, found))

    def child(self, word: int, *deps: str) -> int | None:
        """Return the first child of a word with one of these dependencies."""
        return next((child for child in self.children[word] if self.deps[child] in deps), None)

    def characters(self, first: int, last: int) -> tuple[int, int]:
        """Return where the words `first` to `last` begin and end in the text."""
        return self.starts[first], self.starts[last] + len(self.words[last])


def parse_sentences(texts: Sequence[str]) -> pa.Table:
    """Return the `PARSED` table of texts, a row each and in order."""
    from spacy.tokens import Doc

    language = english("ner", "lemmatizer")
    cut = [_cut(text) for text in texts]
    docs = (Doc(language.vocab, words=words, spaces=spaces) for words, spaces, _ in cut)
    trees = []
    for doc in language.pipe(docs, batch_size=BATCH):
        words = [token.lower_ for token in doc]
        heads = [token.head.i for token in doc]
        trees.append(repaired_tree(Tree(words, [t.tag_ for t in doc], [t.dep_ for t in doc], heads)))
    offsets = pa.array(_offsets([len(tree.words) for tree in trees]), pa.int32())
    words, tags = (pa.array(_flat(trees, name), pa.string()) for name in ("words", "tags"))
    columns = [
        pa.array(texts, pa.string()),
        pa.ListArray.from_arrays(offsets, words),
        pa.ListArray.from_arrays(offsets, tags),
        pa.ListArray.from_arrays(offsets, lemmas_of(words, pa.array(map(part_of_tag, tags.to_pylist()), pa.string()))),
        pa.ListArray.from_arrays(offsets, pa.array(_flat(trees, "deps"), pa.string())),
        pa.ListArray.from_arrays(offsets, pa.array(_flat(trees, "heads"), pa.int16())),
        pa.ListArray.from_arrays(offsets, pa.array([start for _, _, starts in cut for start in starts], pa.int32())),
    ]
    return pa.Table.from_arrays(columns, schema=PARSED)


def lemmas_of(words: pa.Array, parts: pa.Array) -> pa.Array:
    """Return the lemma of each word as that universal part of speech; where two are listed, the more frequent.

    Rules make "rid" of "riding" and of "rides", because both are listed.
    """
    lexicon = read_lexicon()
    bases: dict[str, Callable[[str], str | None]] = {
        "VERB": lambda word: lexicon.verb_of(word) or lexicon.singular_of(word, "verb"),
        "NOUN": lexicon.singular_of,
    }
    keys = pc.binary_join_element_wise(words, parts, " ").dictionary_encode()
    distinct = map(str.split, keys.dictionary.to_pylist())
    better = [bases[part](word) if part in bases else None for word, part in distinct]
    return pc.coalesce(pa.array(better, pa.string()).take(keys.indices), lemmas(words, parts))


def sentences(table: pa.Table) -> Iterator[Sentence]:
    """Yield each row of a `PARSED` table."""
    for batch in table.to_batches(max_chunksize=BATCH):
        columns = [batch.column(name).to_pylist() for name in PARSED.names]
        for text, *lists in zip(*columns, strict=True):
            yield Sentence(text, *map(tuple, lists))


def _offsets(lengths: Sequence[int]) -> list[int]:
    offsets = [0]
    for length in lengths:
        offsets.append(offsets[-1] + length)
    return offsets


def _flat(trees: Sequence[Tree], name: str) -> list:
    return [value for tree in trees for value in getattr(tree, name)]


def _cut(text: str) -> tuple[list[str], list[bool], list[int]]:
    """Return the words of a text, whether a space follows each, and where each begins."""
    words: list[str] = []
    spaces: list[bool] = []
    starts: list[int] = []
    for word, start in word_tokens(text):
        if spaces and start > starts[-1] + len(words[-1]):
            spaces[-1] = True
        words.append(word)
        spaces.append(False)
        starts.append(start)
    return words[:MOST_WORDS], spaces[:MOST_WORDS], starts[:MOST_WORDS]


def word_tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield the words and signs of a text, each with where it begins."""
    for piece in _PIECE.finditer(text):
        yield from _parts(piece.group(), piece.start())


def _parts(piece: str, start: int) -> Iterator[tuple[str, int]]:
    core = _CORE.search(piece)
    if core is None:
        yield piece, start
        return
    if core.start():
        yield piece[: core.start()], start
    clitic = _CLITIC.search(core.group())
    end = core.start() + (clitic.start() if clitic else len(core.group()))
    yield piece[core.start() : end], start + core.start()
    if clitic:
        yield clitic.group(), start + end
    if core.end() < len(piece):
        yield piece[core.end() :], start + core.end()


_PARTS = {"NN": "NOUN", "VB": "VERB", "JJ": "ADJ", "RB": "ADV", "PR": "PRON"}


def part_of_tag(tag: str) -> str:
    """Return the universal part of speech of a Penn tag; X of those without a lemma of their own."""
    if tag in ("NNP", "NNPS"):
        return "NOUN"  # names of stock footage are common nouns: "Businesswoman"
    return _PARTS.get(tag[:2], "X")
