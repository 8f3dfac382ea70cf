"""parse: a line of text, tidied, or the field of a JSON object that fits its schema."""

import pytest

from cvr_data.modifications.asking.parse import parse_answer, parse_object, schema_problem

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
    assert parse_object('{"modification": "x", "kind": "static"}', closed) == {"modification": "x", "kind": "static"}
    assert parse_object('{"modification": "x", "why": "y"}', closed) is None


def test_what_is_no_schema_is_told_in_words():
    assert schema_problem(SCHEMA) == ""
    assert "'text' is not valid" in schema_problem({"type": "text"})
