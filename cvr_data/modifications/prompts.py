"""Prompts: one YAML file each, found in a checkout or in the installed package, checked and rendered.

    prompt = load_prompt("short")                    # or a path to your own file
    prompt.question({"reference_caption": "a red ball bounces", "before": "red", "after": "blue"})

The text is `string.Template`: `$before` is a variable. `cvr show short` prints a prompt.
"""

import hashlib
import json
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.reading import check_fields, reading
from cvr_data.core.trust import trust_code_also
from cvr_data.core.yaml_text import read_yaml
from cvr_data.modifications.asking.parse import answer_schema_problem
from cvr_data.modifications.asking.request import Message, Parameters

ASKED = ("style", "changes", "system", "user", "lead", "examples", "schema")
"""What the model sees; `prompt_sha256` covers these, so another lint limit asks nothing again."""
TASKS = {
    "answers": "answer",
    "change": "modification",
    "describe": "description",
    "edit-caption": "caption",
    "frames": "things",
    "judge": "verdict",
    "match": "score",
    "paraphrase": "modification",
    "reverse": "modification",
}
"""What a prompt may ask for -> the key of its answer. All but `change` ask about something that is there already."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One way of asking for a modification text, or for what is written about one."""

    name: str
    summary: str
    source: str
    """Where the style and the wording come from."""
    languages: str = "en"
    """Languages of captions that its wording, its examples and its lint know."""
    task: str = "change"
    """What is asked for: the text of a change; a description of frames; a verdict on a text; a text in other words, or
    for the way back; a caption as a text edits it; what a caption says; how well, or whether, a candidate answers."""
    style: str = ""
    """The style of the texts of a change; paraphrases keep that of their text, other answers have none."""
    changes: str = "any"
    """Which changes it describes: any, static or action. A pair without one is rejected, unasked."""
    system: str = ""
    user: str
    lead: str = ""
    """Stands before the answer when the chat is flattened into a completion."""
    examples: tuple[Mapping[str, str], ...] = ()
    """Few-shot examples: the variables of `user`, the answer under its key or the schema's keys, and the slots of
    change (`slot`) it is shown for."""
    max_examples: int = 100
    """How many examples are shown. A retry shows others, so that a stubborn row is asked differently."""
    schema: Mapping[str, Any] = field(default_factory=dict)
    """JSON schema of the answer, an object with the task's key; empty: the answer is a line of plain text."""
    decoding: Mapping[str, Any] = field(default_factory=dict)
    """max_tokens, temperature and top_k of the first try."""
    retry: Mapping[str, Any] = field(default_factory=dict)
    """The same for retries of rejected rows."""
    lint: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Lint filters in order -> their options."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """`variables` and the `rendered` last user message: what a test compares."""

    @property
    def answer_key(self) -> str:
        """The key of the answer in an answer's JSON object: `modification` for a change."""
        return TASKS[self.task]

    @property
    def example_key(self) -> str:
        """The key of the answer in examples: `answer` where `modification` is the text that the prompt is about."""
        return "answer" if self.task in ("paraphrase", "reverse") else self.answer_key

    @cached_property
    def sha256(self) -> str:
        """The hash of what the model sees, in hex."""
        asked = {name: _plain_prompt_value(getattr(self, name)) for name in (*ASKED, "max_examples")}
        text = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def parameters(self, attempt: int, seed: int) -> Parameters:
        """Return how the attempt is decoded: the first as `decoding` says, later ones as `retry` says."""
        return Parameters(**{**self.decoding, **(self.retry if attempt else {})}, seed=seed)

    @cached_property
    def schema_text(self) -> str:
        """The JSON schema as text; empty for plain text."""
        return json.dumps(_plain_prompt_value(self.schema), sort_keys=True) if self.schema else ""

    def introduction(self, attempt: int = 0, slot: str = "") -> tuple[Message, ...]:
        """Return what stands before the question: system, and the attempt's examples as turns."""
        turns = [Message("system", self.system)] if self.system else []
        for example in self.shown_examples(attempt, slot):
            turns.append(self.question(example))
            turns.append(Message("assistant", self._answer(example)))
        return tuple(turns)

    def question(self, variables: Mapping[str, str]) -> Message:
        """Return the user's turn about these variables.

        Raises:
            CvrError: the prompt needs a variable that is not given.
        """
        return Message("user", self.render(self.user, variables))

    def shown_examples(self, attempt: int, slot: str) -> list[Mapping[str, str]]:
        """Return the examples for a change of `slot` (of any slot if none is of that): the first, later others.

        Which others depends on the attempt's number alone, so that prompts go on sharing what they begin with.
        """
        fitting = [example for example in self.examples if slot in example.get("slot", "").split()]
        pool = fitting or _in_turns(self.examples)
        if attempt == 0 or len(pool) <= self.max_examples:
            return pool[: self.max_examples]

        def rank(number: int) -> str:
            return hashlib.sha256(f"{attempt} {number}".encode()).hexdigest()

        return [pool[number] for number in sorted(range(len(pool)), key=rank)[: self.max_examples]]

    def render(self, template: str, variables: Mapping[str, str]) -> str:
        """Return the template with its variables filled in; each on one line, as captions may hold line breaks."""
        try:
            return string.Template(template).substitute({key: " ".join(str(v).split()) for key, v in variables.items()})
        except KeyError as error:
            missing = str(error.args[0])
            raise CvrError(f"Prompt {self.name}: no variable ${missing}. {did_you_mean(missing, variables)}") from None
        except ValueError as error:
            raise CvrError(f"Prompt {self.name}: {error}.") from None

    def _answer(self, example: Mapping[str, str]) -> str:
        given = {**example, self.answer_key: example[self.example_key]}
        if not self.schema:
            return given[self.answer_key]
        keys = self.schema.get("properties", (self.answer_key,))
        return json.dumps({key: given[key] for key in keys if key in given}, ensure_ascii=False)


def prompt_folder() -> Path:
    """Return the folder of the built-in prompts: inside the installed package, else that of the checkout."""
    here = Path(__file__).resolve().parents[1]
    packaged, checkout = here / "prompts", here.parent / "prompts"
    return packaged if packaged.is_dir() else checkout


def prompt_names() -> list[str]:
    """Return the names of the built-in prompts, sorted."""
    return sorted(path.stem for path in prompt_folder().glob("*.yaml"))


def prompt_path(name: str) -> Path:
    """Return the file of a prompt: a built-in name, or a path ending in .yaml.

    Raises:
        CvrError: there is none.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise CvrError(f"{path}: no such prompt file.")
        return path
    if name not in prompt_names():
        raise CvrError(f"Unknown prompt {name!r}. {did_you_mean(name, prompt_names())}")
    return prompt_folder() / f"{name}.yaml"


def prompt_text(name: str) -> str:
    """Return the YAML of a prompt, as written."""
    return prompt_path(name).read_text(encoding="utf-8").rstrip()


def prompt_summary(name: str) -> str:
    """Return what a prompt is for, without checking the rest of it: a list of prompts compiles no schema."""
    return str(_read_yaml(prompt_path(name)).get("summary", ""))


def load_prompt(name: str) -> Prompt:
    """Return the checked prompt of a built-in name or of a YAML file.

    Raises:
        CvrError: no such prompt, no valid YAML, an unknown or missing key, or a value that does not fit.
    """
    path = prompt_path(name)
    content = _read_yaml(path)
    known = {entry.name for entry in fields(Prompt)} - {"name"}
    for key in content:
        if key not in known:
            raise CvrError(f"{path}: unknown key {key!r}. {did_you_mean(str(key), known)}")
    needed = ("summary", "source", "user") + (() if content.get("task", "change") != "change" else ("style", "changes"))
    for key in needed:
        if not isinstance(content.get(key), str) or not content[key].strip():
            raise CvrError(f"{path}: a prompt needs {key!r}, a text.")
    with reading(path, "a prompt"):
        _check_examples(content.get("examples") or ())
        check_fields(Prompt, {**content, "examples": ()})
    text: dict[str, Any] = {key: content[key].strip() for key in ("system", "user", "lead") if key in content}
    examples = tuple({str(key): str(value) for key, value in entry.items()} for entry in content.get("examples") or ())
    values: dict[str, Any] = {**content, **text, "name": path.stem, "examples": examples}
    prompt = Prompt(**values)
    _check_prompt(prompt, path)
    trust_code_also(prompt.lint, of=name)
    return prompt


def _read_yaml(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise CvrError(f"{path}: a prompt is a mapping with summary, source, style, changes, user ...")
    return content


def _check_examples(examples: Any) -> None:
    if not isinstance(examples, list | tuple) or not all(isinstance(entry, dict) for entry in examples):
        raise ValueError("'examples' is no list of mappings")


def _check_prompt(prompt: Prompt, path: Path) -> None:
    if prompt.task not in TASKS:
        raise CvrError(f"{path}: task should be one of {', '.join(TASKS)}, got {prompt.task!r}.")
    if prompt.changes not in ("any", "static", "action"):
        raise CvrError(f"{path}: changes should be any, static or action, got {prompt.changes!r}.")
    for number, example in enumerate(prompt.examples, 1):
        if prompt.example_key not in example:
            raise CvrError(f"{path}: example {number} has no {prompt.example_key!r}.")
        prompt.render(prompt.user, example)
    if prompt.schema and (problem := answer_schema_problem(prompt.schema)):
        raise CvrError(f"{path}: schema is no JSON schema ({problem}).")
    try:
        prompt.parameters(0, 0)
        prompt.parameters(1, 1)
    except (TypeError, ValueError) as error:
        raise CvrError(f"{path}: decoding or retry: {error}") from None


def _in_turns(examples: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the examples with their slots taking turns: attribute, object, action, attribute ..."""
    seen: Counter[str] = Counter()
    turns = []
    for example in examples:
        slot = example.get("slot", "")
        turns.append((seen[slot], example))
        seen[slot] += 1
    return [example for _, example in sorted(turns, key=lambda turn: turn[0])]


def _plain_prompt_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain_prompt_value(entry) for key, entry in value.items()}
    return [_plain_prompt_value(entry) for entry in value] if isinstance(value, tuple | list) else value
