"""rules: CoVR's nine templates with each slot filled by its own word, drawn per pair, not per position."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from cvr_data.language.edits import split_negated
from cvr_data.language.words import mentions
from cvr_data.modifications.asking.request import Change, Parameters, Request
from cvr_data.modifications.backends.rules import SHORT, Config, load
from cvr_data.modifications.engines.dense_rules import ACTION, CLOSING, QUALITY, THING, new_sentences

# The list of webvid_covr_rulebased.py as covr.md quotes it, by hand for ball -> cube.
NINE = Counter(
    [
        "remove ball", "take out ball and add cube", "change ball for cube", "replace ball with cube",
        "replace ball with cube", "replace ball by cube", "make the ball into cube", "add cube", "change it to cube",
    ]
)  # fmt: skip


def request(number=0, *, style="short", seed=0, kind="static", slot="object"):
    change = Change(kind=kind, slot=slot, before="Ball", after="cube")
    return Request(pair_id=f"pair-{number}", style=style, change=change, messages=(), parameters=Parameters(seed=seed))


def texts(requests):
    return [answer.text for _, answer in load(Config()).write(requests)]


def test_the_short_templates_are_covr_s_nine():
    assert Counter(template.format(before="ball", after="cube") for template in SHORT) == NINE


def test_each_template_is_drawn_as_often_as_it_is_listed():
    count = Counter(texts([request(number) for number in range(9000)]))
    assert set(count) == set(NINE)
    for text, times in NINE.items():
        assert abs(count[text] - 1000 * times) < 150 * times, text


def test_a_pair_s_text_does_not_depend_on_the_others():
    requests = [request(number) for number in range(50)]
    assert texts(requests)[::-1] == texts(requests[::-1])
    assert texts(requests[7:8]) == texts(requests)[7:8]


def test_another_seed_draws_other_templates():
    assert texts([request(n) for n in range(50)]) != texts([request(n, seed=1) for n in range(50)])


def test_static_and_action_texts_name_both_concepts_and_negate_the_old_one():
    for style, kind, slot in [("static", "static", "object"), ("static", "static", "attribute"),
                              ("action", "action", "action")]:  # fmt: skip
        for text in set(texts([request(n, style=style, kind=kind, slot=slot) for n in range(200)])):
            affirmed, negated = split_negated(text)
            assert mentions(affirmed, "cube") and not mentions(affirmed, "ball"), text
            assert mentions(negated, "ball"), text


@pytest.mark.parametrize(("kind", "slot"), [("static", "object"), ("static", "attribute"), ("action", "action")])
def test_dense_texts_have_30_to_80_words_and_name_both_concepts(kind, slot):
    found = set(texts([request(n, style="dense", kind=kind, slot=slot) for n in range(300)]))
    assert len(found) == len(THING) * len(CLOSING) == len(QUALITY) * len(CLOSING) == len(ACTION) * len(CLOSING)
    for text in found:
        assert 30 <= len(text.split()) <= 80, text
        assert mentions(split_negated(text).affirmed, "cube") and "ball" in text


def test_a_dense_text_takes_over_what_only_the_target_s_description_says():
    reference = "A red ball rolls over a beach. The sky is grey."
    target = "A red cube rolls over a beach. Two gulls fly past; the sky is grey. A boat with a white sail waits."
    assert new_sentences(reference, target) == ["two gulls fly past", "a boat with a white sail waits"]
    asked = [replace(request(n, style="dense"), reference=reference, target=target) for n in range(30)]
    found = texts(asked)
    assert all("gulls" in text and "sail" in text and "grey" not in text for text in found)
    assert all(30 <= len(text.split()) <= 80 for text in found)
    fourth = [replace(each, parameters=Parameters(seed=3)) for each in asked]
    assert not any("gulls" in text or "sail" in text for text in texts(fourth))


def test_a_schema_is_answered_with_an_object():
    asked = replace(request(style="dense"), schema='{"type": "object"}')
    assert set(json.loads(texts([asked])[0])) == {"modification"}
