"""parse: a line of text, tidied, or the field of a JSON object that fits its schema."""

import pytest

from cvr_data.generation.parse import parse_answer

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
