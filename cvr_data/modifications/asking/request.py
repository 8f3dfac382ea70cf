"""What a backend is asked and what it answers; a backend knows nothing of tables, prompts or files.

A backend is loaded by a module of `cvr_data.modifications.backends`. That is cheap: the engine starts with the first
`write`, so a run that finds every answer in the request cache never starts it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol

SEEDS_PER_TEXT = 20
"""Candidate c of a pair uses the seeds from 20 c on, so asking for more texts leaves the first ones as they are."""

MORE_ROOM = 4
"""Times as many tokens for a text that was cut off."""
THINKING_TOKENS = 2048
"""What a model that thinks may think before it answers."""
Thinking = Literal["model", "off", "on"]
"""Whether a chat model thinks before it answers: as its template has it, or told by `enable_thinking`."""


@dataclass(frozen=True)
class Message:
    """One turn of a chat: role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How to decode. Temperature 0 is greedy, and then `seed` and `top_k` mean nothing."""

    max_tokens: int = 24
    temperature: float = 0.0
    top_k: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.temperature < 0 or self.top_k < 0:
            raise ValueError(f"max_tokens must be at least 1, temperature and top_k at least 0, got {self}.")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the text has to say: `before` is in the reference, `after` in the target; one may be empty."""

    kind: str
    slot: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One text to write for one pair."""

    pair_id: str
    style: str
    change: Change
    reference: str = ""
    """What the reference shows: its description, else its caption. For backends that fill in templates."""
    target: str = ""
    """What the target shows."""
    captions: tuple[str, str] = ("", "")
    """Of reference and target, whatever else they show."""
    changes: tuple[Change, ...] = ()
    """Each change that the text has to say; `change` has them joined."""
    messages: tuple[Message, ...]
    images: tuple[bytes, ...] = ()
    """Frames as JPEG, shown before the text of the last message; only vision-language models take any."""
    lead: str = ""
    """Written before each answer when the chat is flattened into a completion: `Edit:`."""
    one_line: bool = True
    """The answer ends at the first line break."""
    schema: str = ""
    """JSON schema of the answer, for engines that can be held to one; empty for plain text."""
    prompt_sha256: str = ""
    parameters: Parameters = Parameters()
    choices: tuple[str, ...] = ()
    """Words of which the model says how likely each comes next, and writes nothing: see `asking.choices`."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: a raw text, or the reason why none did."""

    text: str | None
    tokens_in: int | None = None
    tokens_out: int | None = None
    error: str | None = None
    refused: str | None = None
    """Why there is nothing to ask for: the text is rejected for this reason, and not asked again."""
    is_cut: bool = False
    """There was no room for more."""


NO_ANSWER = Answer(text=None, error="the backend gave no answer")


class Backend(Protocol):
    """Writes texts. A request that fails becomes an Answer with an error, never an exception for the whole job."""

    model: str
    """Names the weights; part of the cache key, of `modification_id` and of every row."""
    is_pure: bool
    """The answer is computed from the request alone in no time, so the cache is left out."""
    gpus: int
    """That one engine takes where there are any."""

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (position in `requests`, answer) as answers arrive, in any order, each position once."""
        ...


def request_with_more_tokens(request: Request, lacked: str) -> Request:
    """Return a request asked again, with room for what an answer to it lacked: its `text`, or `thoughts` before it."""
    if not lacked:
        return request
    tokens = request.parameters.max_tokens
    tokens = tokens + THINKING_TOKENS if lacked == "thoughts" else tokens * MORE_ROOM
    parameters = replace(request.parameters, max_tokens=tokens)
    return replace(request, parameters=parameters, one_line=request.one_line and lacked != "thoughts")


def check_thinking(thinking: Thinking, form: str) -> None:
    """Raise where a model that is given a completion is told how to think.

    Raises:
        ValueError: so.
    """
    if thinking != "model" and form != "chat":
        raise ValueError("thinking is for chat models: -o form=chat.")


def thinking_settings(thinking: Thinking) -> dict[str, bool]:
    """Return what a chat template is told: nothing where the model decides."""
    return {} if thinking == "model" else {"enable_thinking": thinking == "on"}


def when_thinking(request: Request, thinking: Thinking) -> Request:
    """Return the request with room for the thoughts of a model that is told to think."""
    return request_with_more_tokens(request, "thoughts") if thinking == "on" else request


def thinking_name(thinking: Thinking) -> list[str]:
    """Return what a model's name says of it."""
    return [] if thinking == "model" else [f"thinking={thinking}"]


def request_key(model: str, request: Request, told: str = "") -> str:
    """Return the cache key: the hash of model, prompt, parameters and messages, and what is `told` of choices."""
    parameters = asdict(request.parameters)
    if request.parameters.temperature == 0:
        parameters = {"max_tokens": request.parameters.max_tokens, "temperature": 0.0}
    asked: dict[str, Any] = {
        "model": model,
        "prompt": request.prompt_sha256,
        "parameters": parameters,
        "messages": [[message.role, message.content] for message in request.messages],
        "lead": request.lead,
        "one_line": request.one_line,
        "schema": request.schema,
    }
    if request.choices:
        asked |= {"choices": request.choices, "told": told}
    if request.images:
        asked["images"] = [hashlib.sha256(image).hexdigest() for image in request.images]
    text = json.dumps(asked, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def completion_text(request: Request) -> str:
    """Return the chat as one text for a model to continue: examples become paragraphs, the last one is left open."""
    system = [message.content for message in request.messages if message.role == "system" and message.content]
    turns = [message for message in request.messages if message.role != "system"]
    answered = [
        f"{user.content}\n{request.lead} {answer.content}".strip()
        for user, answer in zip(turns[0::2], turns[1::2], strict=False)
    ]
    return "\n\n".join([*system, *answered, f"{turns[-1].content}\n{request.lead}".strip()])
