"""What went wrong in answers: one fault each, added up by model, and shown as shares of all answers."""

import pytest

from cvr_data.modifications.counts import modification_fault, wrong_answers, wrong_answers_text


@pytest.mark.parametrize(
    ("status", "reasons", "fault"),
    [
        ("ok", [], "good"),
        ("error", ["ConnectError: refused"], "error"),
        ("rejected", ["refusal"], "refusal"),
        ("rejected", ["schema"], "schema"),
        ("rejected", ["too_long", "not_english"], "not_english"),
        ("rejected", ["misses_change"], "lint"),
        ("rejected", ["unsayable_topic"], "unsayable"),
    ],
)
def test_an_answer_has_one_fault(status, reasons, fault):
    assert modification_fault(status, reasons) == fault


def manifest(model, **answers):
    return {"config": {"model": model}, "answers": answers}


def test_the_answers_of_a_model_are_added_up_and_shown_as_shares():
    manifests = [manifest("b", good=3, refusal=1), manifest("a", good=1, lint=1), manifest("b", good=4), {"rows": 1}]
    assert wrong_answers(manifests) == {"a": {"good": 1, "lint": 1}, "b": {"good": 7, "refusal": 1}}
    assert [line.split() for line in wrong_answers_text(manifests).splitlines()] == [
        ["answers", "of", "all", "good", "refusal", "lint"],
        ["a", "2", "50.0%", "0.0%", "50.0%"],
        ["b", "8", "87.5%", "12.5%", "0.0%"],
    ]


def test_manifests_that_tell_of_no_answers_give_no_table():
    assert wrong_answers_text([{"rows": 3, "config": {}}]) == ""
