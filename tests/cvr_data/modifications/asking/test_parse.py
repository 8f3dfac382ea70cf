"""parse: a line of text, tidied, or the field of a JSON object that fits its schema."""

import pytest

from cvr_data.modifications.asking.parse import answer_schema_problem, parse_answer, parse_answer_object, read_answer

SCHEMA = {
    "type": "object",
    "properties": {"modification": {"type": "string"}, "kind": {"enum": ["static", "action"]}},
    "required": ["modification"],
}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (" make it blue\n\nVideo: a cat", "make it blue"),
        ("\n\nmake it blue", "make it blue"),
        ('Edit: "make it blue."', "make it blue"),
        ('use "fading" instead of "growing', "use fading instead of growing"),
        ("make the woman's hat  blue", "make the woman's hat blue"),
        ("\ufeffmake it a cafe\u0301\u200b", "make it a café"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_a_plain_answer_is_its_first_line_without_lead_and_quotes(raw, text):
    assert parse_answer(raw, lead="Edit:") == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('{"modification": "make it blue"}', "make it blue"),
        ('Sure! {"modification": "make it blue.", "kind": "static"} Anything else?', "make it blue"),
        ('{"modification": 3}', None),
        ('{"modification": "x", "kind": "other"}', None),
        ('{"text": "x"}', None),
        ("make it blue", None),
        ('{"modification": "cut', None),
        ("[1]", None),
    ],
)
def test_a_json_answer_must_fit_its_schema(raw, text):
    assert parse_answer(raw, schema=SCHEMA) == text


def test_the_answer_of_another_task_stands_under_its_own_key():
    schema = {"type": "object", "properties": {"description": {"type": "string", "minLength": 9}}}
    assert parse_answer('{"description": "a cat sleeps"}', schema=schema, key="description") == "a cat sleeps"
    assert parse_answer('{"description": "a cat"}', schema=schema, key="description") is None


def test_an_object_is_returned_whole_if_the_schema_allows_every_key():
    closed = {**SCHEMA, "additionalProperties": False}
    assert parse_answer_object('{"modification": "x", "kind": "static"}', closed) == {
        "modification": "x",
        "kind": "static",
    }
    assert parse_answer_object('{"modification": "x", "why": "y"}', closed) is None


def test_what_is_no_schema_is_told_in_words():
    assert answer_schema_problem(SCHEMA) == ""
    assert "'text' is not valid" in answer_schema_problem({"type": "text"})


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [
        ("<think>The dog should be a cat.</think>\nmake it a cat", "make it a cat", ""),
        ("The dog should be a cat.</think>\n\nmake it a cat", "make it a cat", ""),
        ("<think>The dog should", None, "truncated"),
        ("```\nmake it a cat\n```", "make it a cat", ""),
        ("Sure! Here is the modification text:\n\nmake it a cat", "make it a cat", ""),
        ("1. make it a cat\n2. use a cat", "make it a cat", ""),
        ("\u00abmake it a cat\u00bb", "make it a cat", ""),
        ("make it a cat<|im_end|>", "make it a cat", ""),
        ("make it\u200b a \ud83d cat\0", "make it a cat", ""),
        ("I'm sorry, but I cannot see the videos.", None, "refusal"),
        ("As an AI language model, I can't help with that.", None, "refusal"),
        ("make the dog sit on the", None, "truncated"),
        ("dog -> cat", None, "no_sentence"),
        ("", None, "empty"),
    ],
)
def test_each_kind_of_plain_answer_is_read_or_has_its_reason(raw, text, reason):
    found = read_answer(raw)
    assert (" ".join((found.text or "").split()) or None, found.reason) == (text, reason)


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [
        ('```json\n{"modification": "make it a cat"}\n```', "make it a cat", ""),
        ("{'modification': 'make it a cat',}", "make it a cat", ""),
        ('{"modification": "make it a cat", "kind": "static"', "make it a cat", ""),
        ('{"modification": "x", "kind": "other"} {"modification": "make it a cat"}', "make it a cat", ""),
        ('{"modification": "make it a ca', None, "truncated"),
        ("I cannot help with that.", None, "refusal"),
        ("make it a cat", None, "unparsable"),
    ],
)
def test_each_kind_of_json_answer_is_read_or_has_its_reason(raw, text, reason):
    assert read_answer(raw, schema=SCHEMA)[:2] == (text, reason)


def test_a_paragraph_is_a_description_and_a_refusal_is_none():
    said = read_answer("A boat drifts\nacross a lake.", schema=SCHEMA, is_paragraph=True)
    assert said.text == "A boat drifts across a lake." or said.text == "A boat drifts across a lake"
    assert read_answer("I'm sorry, but I can't see any frames.", schema=SCHEMA, is_paragraph=True).reason == "refusal"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("{" + "," * 20_000 + '"modification": "make it blue"}', "make it blue"),
        ('{"modification": "make it blue", "kind": "static", "n": ' + "1" * 6_000 + "}", "make it blue"),
        ('{"modification": make it' + " " * 60_000 + "blue}", "make it blue"),
        ("<think>" * 8_000, None),
        ('{"modification": "' + 'a" ' * 20_000, None),
    ],
)
def test_no_answer_ends_a_run_or_holds_it_up(raw, text):
    assert read_answer(raw, schema=SCHEMA).text == text
