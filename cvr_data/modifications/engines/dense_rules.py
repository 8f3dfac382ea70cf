"""Dense texts without a language model: an opening that names the change, what else is new, and what stays.

Only sentences of the target's description that say something the reference's does not are taken over, so a text over
two captions, which differ in the change alone, has none and stays within 30 to 80 words all the same.
"""

import re

from cvr_data.language.words import content_words, has_word, words_of
from cvr_data.modifications.asking.request import Request

MOST_WORDS = 80
SENTENCES = 3
"""Most sentences of the target's description that a text takes over."""
THING = (
    "Replace {before} with {after}: where the reference shows {before}, the video should show {after} from the first "
    "frame to the last",
    "The video should have {after} instead of {before}, so that {after} takes the same place and the same part in "
    "what happens",
    "Put {after} in the place of {before}. Nothing of {before} should remain visible at any time, and {after} should "
    "be seen clearly",
)
QUALITY = (
    "What is {before} in the reference should be {after} instead of {before}, and should be plainly seen to be {after} "
    "all along",
    "Change the look from {before} to {after}. The thing itself stays the same, but its appearance is {after} rather "
    "than {before}",
    "Make it {after}, not {before}: whatever shows as {before} in the reference has to show as {after} during the "
    "whole video",
)
ACTION = (
    "What happens should change: the action is {after} instead of {before}, performed by the same one and in the same "
    "place as in the reference",
    "Change the action to {after}, not {before}. Whoever or whatever acts in the reference still does, but now the "
    "movement seen is {after}",
    "Show {after} rather than {before} as what happens, with the one who acts and the things around left just as they "
    "were",
)
CLOSING = (
    "Everything else should be left untouched, with the surroundings, the light and the view of the camera as the "
    "reference has them.",
    "Apart from that keep the reference as it is, including its place, its framing, its pace and the time of day.",
    "Leave all the rest alone: place, background, lighting and camera should match the reference as closely as can be.",
)


def dense_text(request: Request, opening: int, closing: int, sentences: int) -> str:
    """Return the text with the opening and closing of these numbers, and up to `sentences` new ones of the target."""
    change = request.change
    templates = ACTION if change.kind == "action" else QUALITY if change.slot == "attribute" else THING
    before, after = change.before.lower(), change.after.lower()
    first = templates[opening % len(templates)].format(before=before, after=after)
    last = CLOSING[closing % len(CLOSING)]
    room = MOST_WORDS - len(words_of(first)) - len(words_of(last))
    added = []
    for sentence in new_sentences(request.reference, request.target)[:sentences]:
        room -= len(words_of(sentence)) + 1
        if room >= 0:
            added.append(f"Also: {sentence}.")
    return " ".join([f"{first}.", *added, last])


def new_sentences(reference: str, target: str) -> list[str]:
    """Return the sentences of the target's description most of whose content words the reference's lacks."""
    known = words_of(reference)
    sentences = [sentence.strip().lower() for sentence in re.split(r"[.;]", target)]
    return [sentence for sentence in sentences if len(words_of(sentence)) > 2 and _is_new(sentence, known)]


def _is_new(sentence: str, known: list[str]) -> bool:
    words = content_words(words_of(sentence))
    return bool(words) and sum(not has_word(known, word) for word in words) > len(words) / 2
