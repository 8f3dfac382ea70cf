"""Templates, no language model: CoVR's nine for short texts; ours for static, action and dense ones.

Static and action texts negate what they exclude. The template of a pair depends on the seed and the pair alone, never
on the order of the pairs.

Source: rule-based baseline of Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746),
tools/scripts/webvid_covr_rulebased.py. Two things differ: that code passes the removed word for both slots of every
template, so that its texts never name the target's word; here each slot gets its own word. And with the default lint
"remove W", which names nothing of the target, is rejected and another template drawn.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cvr_data.modifications.asking.request import SEEDS_PER_TEXT, Answer, Backend, Request
from cvr_data.modifications.engines import dense_rules as dense

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
THING = (
    "show {after} instead of {before}",
    "use {after} rather than {before}",
    "it should be {after}, not {before}",
    "change it to {after}, not {before}",
    "with {after} instead of {before}",
)
QUALITY = (
    "make it {after} instead of {before}",
    "it should be {after}, not {before}",
    "{after} rather than {before}",
    "change it to {after}, not {before}",
    "the same but {after} instead of {before}",
)
ACTION = (
    "{after} instead of {before}",
    "change the action to {after}, not {before}",
    "now {after} rather than {before}",
    "{after}, not {before}",
    "the action is {after} instead of {before}",
)
OPENINGS, CLOSINGS = len(dense.THING), len(dense.CLOSING)


@dataclass(frozen=True, kw_only=True)
class Config:
    """No options."""


def load(config: Config) -> Backend:
    """Return the backend."""
    return RulesBackend()


class RulesBackend:
    """Draws a template for each pair."""

    is_pure = True
    gpus = 0
    model = "rules"

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield the answers in order."""
        for number, request in enumerate(requests):
            text = text_of(request)
            yield number, Answer(text=text, tokens_in=0, tokens_out=len(text.split()))


def text_of(request: Request) -> str:
    """Return the text of a request, in the form its schema asks for."""
    if request.style == "dense":
        number = draw(request, OPENINGS * CLOSINGS)
        # A text that says too much of the target is asked for again, and then says less of it.
        sentences = max(0, dense.SENTENCES - request.parameters.seed % SEEDS_PER_TEXT)
        text = dense.dense_text(request, number % OPENINGS, number // OPENINGS, sentences)
    else:
        templates = templates_for(request)
        template = templates[draw(request, len(templates))]
        text = template.format(before=request.change.before.lower(), after=request.change.after.lower())
    return json.dumps({"modification": text}, ensure_ascii=False) if request.schema else text


def templates_for(request: Request) -> tuple[str, ...]:
    """Return the templates that fit the request's style and change."""
    if request.style == "action" or (request.style != "short" and request.change.kind == "action"):
        return ACTION
    if request.style == "static":
        return QUALITY if request.change.slot == "attribute" else THING
    return SHORT


def draw(request: Request, count: int) -> int:
    """Return a number below `count` that depends on the seed and the pair alone."""
    digest = hashlib.sha256(f"{request.parameters.seed} {request.style} {request.pair_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % count
