"""Whether a text asks for a concept in other words: "make it dark" for darkness, "a girl for a boy" for a son.

The nearest phrase of the text, among those that say something the reference does not, is compared with the concept by
the sentence encoder. Measured on 1,271 texts that people wrote for WebVid-CoVR: of the 176 that name the concept in no
form of its word, a cosine of 0.7 finds 43; of 1,264 texts of other pairs it is fooled by 5.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.text_bands import MINILM
from cvr_data.features.similarities import network_of_texts
from cvr_data.language.edits import split_negated
from cvr_data.language.execution import Outcome, phrase_change_outcome, required_phrase_changes
from cvr_data.language.frames import rows_with_parsed_sentences
from cvr_data.language.stop_words import EDIT_WORDS, SMALL_WORDS
from cvr_data.language.words import content_words, has_word, words_of
from cvr_data.modifications.checking.cycle import modification_cycle_scores

Row = Mapping[str, Any]

LONGEST = 3
"""Words of a phrase."""
COLUMNS = ("asked_similarity", "asked_shift")
OF_WORDS = 0.25
"""What the words' nearness to what comes, less that to what goes, counts beside the shift of the caption."""


def with_asked(table: pa.Table) -> pa.Table:
    """Return a lint table with two columns of what a text says in other words; null where it names every concept.

    `asked_similarity` is the cosine of the concept and the nearest phrase that says something the reference does not.
    `asked_shift` is how much closer the caption, rewritten by the text, is to the target's than the unchanged one is,
    plus a quarter of how much closer its nearest phrase is to what comes in than to what goes. Of several concepts the
    worst counts.
    """
    captions = ("reference_caption", "target_caption")
    rows = table.select(["modification", "style", "changes", *captions]).to_pylist()
    columns = np.full((len(COLUMNS), len(rows)), np.nan, np.float32)
    outcomes = [
        _outcome_of_text(row)
        for row in rows_with_parsed_sentences(rows, lambda row: [row[name] or "" for name in captions])
    ]
    places = [
        place for place, outcome in enumerate(outcomes) if outcome.missed and all(c.after for c in outcome.missed)
    ]
    if places:
        columns[:, places] = _meaning_asked([rows[place] for place in places], [outcomes[place] for place in places])
    for name, values in zip(COLUMNS, columns, strict=True):
        table = table.append_column(name, pa.array(values, from_pandas=True))
    return table


def _outcome_of_text(row: Row) -> Outcome:
    changes = required_phrase_changes(row["changes"] or (), row["style"])
    return phrase_change_outcome(
        row["modification"] or "", changes, row["reference_caption"] or "", row["target_caption"] or ""
    )


def _meaning_asked(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return (2, N) of N rows: similarity and shift."""
    texts, references, targets = (
        [row[name] or "" for row in rows] for name in ("modification", "reference_caption", "target_caption")
    )
    new = [modification_new_phrases(text, reference) for text, reference in zip(texts, references, strict=True)]
    said = [modification_new_phrases(text, "") or [text] for text in texts]
    concepts = (concept for outcome in outcomes for change in outcome.missed for concept in change[1:])
    vectors = _vectors_of_meanings([*chain(*new), *chain(*said), *concepts])
    gains = modification_cycle_scores(references, texts, targets).column("cycle_gain").to_numpy()
    near = [[_meaning_cosine(vectors, change.after, phrases) for change in outcome.missed]
            for outcome, phrases in zip(outcomes, new, strict=True)]  # fmt: skip
    nearer = [[_meaning_cosine(vectors, change.after, phrases) - _meaning_cosine(vectors, change.before, phrases)
               for change in outcome.missed] for outcome, phrases in zip(outcomes, said, strict=True)]  # fmt: skip
    return np.array([list(map(min, near)), gains + OF_WORDS * np.array(list(map(min, nearer)))], np.float32)


def modification_new_phrases(text: str | None, reference: str | None) -> list[str]:
    """Return the phrases of up to three words that a text asserts and that hold a word the reference lacks."""
    words, known = split_negated(text or "").affirmed, words_of(reference or "")
    found = set()
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
            phrase = words[start:end]
            if phrase[0] in SMALL_WORDS or phrase[-1] in SMALL_WORDS:
                continue
            if any(word not in EDIT_WORDS and not has_word(known, word) for word in content_words(phrase)):
                found.add(" ".join(phrase))
    return sorted(found)


def _meaning_cosine(vectors: dict[str, np.ndarray], concept: str, phrases: Sequence[str]) -> float:
    return max((float(vectors[phrase] @ vectors[concept]) for phrase in phrases), default=-1.0)


def _vectors_of_meanings(texts: Iterable[str]) -> dict[str, np.ndarray]:
    distinct = sorted(set(texts))
    if not distinct:
        return {}
    return dict(zip(distinct, network_of_texts(MINILM)(distinct), strict=True))
