"""Rules, no language model: each change said as people say such changes, with the words of its caption.

    cvr generate-modifications pairs --llm rules                      # "make the car blue", "have the dogs sleep"
    cvr generate-modifications pairs --llm rules -o style=covr        # CoVR's nine templates: "change red for blue"

Constructions are drawn as people use them, the common ones less often (`cvr_data.modifications.realising`); static and
action texts take back what goes; dense ones say what only one of two descriptions says, and are none without
descriptions. What nobody can ask for (tense, articles, topics of talk) is rejected as `unsayable_...`. The text of a
pair depends on the seed and its captions alone: pairs of the same two captions, which ask for the same, get the same
words.

Source of the templates: rule-based baseline of Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746),
tools/scripts/webvid_covr_rulebased.py. Two things differ: that code passes the removed word for both slots of every
template, so that its texts never name the target's word; here each slot gets its own word. And with the default lint
"remove W", which names nothing of the target, is rejected and another template drawn.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cvr_data.core.errors import CvrError
from cvr_data.language.frames import rows_with_parsed_sentences
from cvr_data.modifications.asking.request import SEEDS_PER_TEXT, Answer, Backend, Change, Request
from cvr_data.modifications.engines import dense_rules as dense
from cvr_data.modifications.realising.constructions import Text, modifications_that_exclude, texts_of
from cvr_data.modifications.realising.located import change_for_modification
from cvr_data.modifications.realising.refused import CannotSay
from cvr_data.tables import content_id

SEEDS = 1000
"""Runs with other seeds are so many seeds apart."""
FINE = 1 << 32
EVENNESS = 0.25
"""Power of the weights: by 1 common constructions come as often as people use them, by 0 no more often than others.

With this a hundred texts have as many different pairs of words as CoVR's templates, which have no articles.
"""
SHORT = (
    "remove {before}",
    "take out {before} and add {after}",
    "change {before} for {after}",
    "replace {before} with {after}",
    "replace {before} with {after}",
    "replace {before} by {after}",
    "make the {before} into {after}",
    "add {after}",
    "change it to {after}",
)
"""CoVR's list; "replace .. with .." is there twice, so it is drawn twice as often."""


@dataclass(frozen=True, kw_only=True)
class Config:
    style: Literal["people", "covr"] = "people"
    """`covr`: short texts by the nine templates of CoVR's baseline, for its ablation."""


def load(config: Config) -> Backend:
    """Return the backend."""
    return RulesBackend(config.style)


class RulesBackend:
    """Draws a construction for each change of each pair."""

    is_pure = True
    gpus = 0

    def __init__(self, style: str = "people"):
        self.style = style
        self.model = "rules" if style == "people" else f"rules-{style}"

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers in order. Raises CvrError: a request is for something else than a pair's text."""
        if not all(any(request.captions) for request in requests):
            raise CvrError("rules write texts for pairs of captions and do nothing else: name a language model.")
        for number, request in enumerate(rows_with_parsed_sentences(requests, lambda request: request.captions)):
            try:
                text = realised_modification_text(request, self.style)
            except CannotSay as error:
                yield number, Answer(text=None, refused=f"unsayable_{error}")
            else:
                yield number, Answer(text=text, tokens_in=0, tokens_out=len(text.split()))


def realised_modification_text(request: Request, style: str = "people") -> str:
    """Return the text of a request, in the form its schema asks for.

    Raises:
        CannotSay: nobody can ask for what differs.
    """
    if request.style == "dense":
        # A text that says too much of the target is asked for again, and then says less of it.
        sentences = max(0, dense.SENTENCES - request.parameters.seed % SEEDS_PER_TEXT)
        text = dense.dense_modification_text(request, realised_modification(request, excludes=True), sentences)
    elif request.style == "short" and style == "covr":
        template = SHORT[draw_modification_wording(request, len(SHORT), str(request.parameters.seed))]
        text = template.format(before=request.change.before.lower(), after=request.change.after.lower())
    else:
        text = realised_modification(request, excludes=request.style != "short")
    return json.dumps({"modification": text}, ensure_ascii=False) if request.schema else text


def realised_modification(request: Request, *, excludes: bool) -> str:
    """Return all changes of a request, each in a construction of its slot, joined with "and"."""
    parts = []
    for number, change in enumerate(request.changes or (request.change,)):
        texts = _texts(request, change, excludes)
        parts.append(_drawn(request, texts, number))
    return " and ".join(parts)


def _texts(request: Request, change: Change, excludes: bool) -> list[Text]:
    sides = {"slot": change.slot, "before": change.before, "after": change.after}
    found = change_for_modification(sides, *request.captions)
    texts = modifications_that_exclude(found) if excludes else texts_of(found)
    if not texts:
        raise CannotSay("no_words")
    return texts


def _drawn(request: Request, texts: Sequence[Text], number: int) -> str:
    """Return one of the texts: each comes first as its weight says, further ones for other candidates."""
    seed, rank = divmod(request.parameters.seed, SEEDS)
    candidate, attempt = divmod(rank, SEEDS_PER_TEXT)
    keys = {text.words: draw_modification_wording(request, FINE, f"{seed} {number} {text.words}") for text in texts}
    weights = {text.words: text.weight for text in texts}
    order = sorted(keys, key=lambda words: -(((keys[words] + 1) / (FINE + 1)) ** weights[words] ** -EVENNESS))
    return order[(candidate + attempt) % len(order)]


def draw_modification_wording(request: Request, count: int, salt: str) -> int:
    """Return a number below `count` that depends on the two captions, the style and the salt alone."""
    key = f"{salt} {request.style} {content_id(*request.captions)}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % count
