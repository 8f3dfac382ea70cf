"""Schemas of prompts refer to themselves alone, and nothing is fetched."""

import pytest

from cvr_data.modifications.asking.parse import answer_schema_problem, parse_answer_object
from tests.http_server import FileServer

OBJECT = {"type": "object", "properties": {"modification": {"type": "string"}}}


def test_no_reference_of_a_schema_is_fetched():
    with FileServer() as server:
        schema = {**OBJECT, "properties": {"modification": {"$ref": server.put("/s.json", b"{}")}}}
        assert "leads elsewhere" in answer_schema_problem(schema)
        assert "leads elsewhere" in answer_schema_problem({"anyOf": [{"$dynamicRef": server.url + "/s.json"}]})
        assert server.asked() == []


@pytest.mark.parametrize("reference", ["file:///etc/passwd", "other.json", "http://h/x#/y"])
def test_a_reference_elsewhere_is_refused(reference):
    assert "leads elsewhere" in answer_schema_problem({"$ref": reference})


def test_a_reference_to_a_part_of_the_schema_is_followed():
    schema = {"properties": {"modification": {"$ref": "#/$defs/text"}}, "$defs": {"text": {"type": "string"}}}
    assert answer_schema_problem(schema) == ""
    assert parse_answer_object('{"modification": "a"}', schema) == {"modification": "a"}
    assert parse_answer_object('{"modification": 1}', schema) is None


@pytest.mark.parametrize(
    ("schema", "said"), [({"$ref": "#"}, "leads to itself"), ({"$ref": "#/$defs/none"}, "none"), ({"type": 3}, "3")]
)
def test_a_reference_that_leads_nowhere_is_told(schema, said):
    assert said in answer_schema_problem(schema)


def test_an_answer_of_brackets_is_none():
    assert parse_answer_object("{" * 200_000, OBJECT) is None
    assert parse_answer_object('{"a":' * 200_000, OBJECT) is None
