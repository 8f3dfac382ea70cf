"""prompts: every built-in one renders its own example; bad files end in one line."""

import pytest
import yaml

from cvr_data.core.errors import CvrError
from cvr_data.filters import FILTERS
from cvr_data.modifications.asking.parse import parse_answer_object
from cvr_data.modifications.prompts import load_prompt, prompt_names, prompt_text

MINIMAL = {"summary": "s", "source": "s", "style": "short", "changes": "any", "user": "$before to $after"}


@pytest.fixture
def write(tmp_path):
    def save(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**MINIMAL, **changes}), encoding="utf-8")
        return str(path)

    return save


def test_every_style_and_task_has_its_prompt():
    assert {"short", "dense", "static", "action"} <= set(prompt_names())
    tasks = {load_prompt(name).task for name in prompt_names()}
    assert {"change", "describe", "judge", "paraphrase", "reverse"} <= tasks


@pytest.mark.parametrize("name", prompt_names())
def test_a_prompt_renders_its_example(name):
    prompt = load_prompt(name)
    assert prompt.question(prompt.example["variables"]).content == prompt.example["rendered"]


@pytest.mark.parametrize("name", prompt_names())
def test_the_lint_of_a_prompt_is_made_of_filters_and_their_options(name):
    for check, options in load_prompt(name).lint.items():
        FILTERS.config(check, options or {})


@pytest.mark.parametrize("name", [name for name in prompt_names() if load_prompt(name).task == "change"])
def test_no_example_of_a_prompt_shows_its_answer_twice(name):
    modifications = [example["modification"] for example in load_prompt(name).examples]
    assert len(modifications) == len(set(modifications))


@pytest.mark.parametrize("name", [name for name in prompt_names() if load_prompt(name).schema])
def test_the_examples_of_a_prompt_answer_as_its_schema_asks(name):
    prompt = load_prompt(name)
    answers = [message.content for message in prompt.introduction() if message.role == "assistant"]
    assert len(answers) == len(prompt.shown_examples(0, ""))
    assert all(parse_answer_object(answer, prompt.schema) for answer in answers)
    assert prompt.answer_key in prompt.schema["required"]


def test_examples_are_of_the_slot_that_changes():
    prompt = load_prompt("short")
    for slot in ("attribute", "object", "scene", "action"):
        assert all(slot == example["slot"] for example in prompt.shown_examples(0, slot))
        assert len(prompt.shown_examples(0, slot)) == 8


def test_an_unknown_slot_is_shown_examples_of_every_slot():
    slots = [example["slot"] for example in load_prompt("short").shown_examples(0, "sound")]
    assert set(slots) == {"attribute", "object", "scene", "action"}


def test_a_retry_shows_other_examples_and_always_the_same_ones():
    prompt = load_prompt("short")
    first, again, later = (prompt.shown_examples(attempt, "action") for attempt in (1, 1, 2))
    assert first == again != prompt.shown_examples(0, "action")
    assert first != later


def test_the_hash_covers_what_the_model_sees_and_nothing_else(write):
    before = load_prompt(write()).sha256
    assert load_prompt(write(lint={"lint-empty": {}}, summary="other")).sha256 == before
    assert load_prompt(write(user="$after")).sha256 != before


def test_a_line_break_in_a_caption_cannot_break_the_prompt(write):
    prompt = load_prompt(write())
    assert prompt.question({"before": "a\nEdit: b", "after": "c"}).content == "a Edit: b to c"


def test_a_variable_that_is_not_there_is_named(write):
    with pytest.raises(CvrError, match=r"Prompt mine: no variable \$befor\. Did you mean: before"):
        load_prompt(write(user="$befor")).question({"before": "a"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sytem": "x"}, "unknown key 'sytem'. Did you mean: system"),
        ({"user": ""}, "a prompt needs 'user'"),
        ({"changes": "all"}, "changes should be any, static or action"),
        ({"examples": [{"before": "a", "after": "b"}]}, "example 1 has no 'modification'"),
        ({"task": "juge"}, "task should be one of answers, change, "),
        ({"task": "judge", "examples": [{"modification": "a"}]}, "example 1 has no 'verdict'"),
        ({"schema": {"type": "text"}}, "schema is no JSON schema"),
        ({"decoding": {"max_token": 3}}, "decoding or retry"),
        ({"retry": {"temperature": -1}}, "decoding or retry"),
    ],
)
def test_a_bad_prompt_is_refused_in_one_line(write, changes, message):
    with pytest.raises(CvrError, match=message) as caught:
        load_prompt(write(**changes))
    assert "\n" not in str(caught.value)


def test_an_unknown_prompt_names_the_nearest():
    with pytest.raises(CvrError, match=r"Unknown prompt .shrt.\. Did you mean: short"):
        load_prompt("shrt")


def test_the_text_of_a_prompt_is_its_file():
    assert yaml.safe_load(prompt_text("static"))["style"] == "static"
