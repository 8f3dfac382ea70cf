"""Any OpenAI-compatible server (vllm serve, llama.cpp, a hosted one): asynchronous, within limits, with retries.

    cvr generate-modifications pairs --llm openai -o model=NAME -o base_url=http://127.0.0.1:8000/v1 -o concurrency=64

The key is read from the environment variable that `key_variable` names and goes into the Authorization header, nowhere
else. What is written depends on the server: the run repeats given the request cache. Money is estimated by `--dry-run`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cvr_data.core.asked_server import (
    GONE,
    Refused,
    Server,
    ServerGone,
    ServerLimits,
    check_server_address,
    http_answers_at_once,
    http_usage_count,
)
from cvr_data.core.errors import CvrError
from cvr_data.core.secrets_in_text import mask_secrets, secrets_in_text
from cvr_data.core.server_options import ServerOptions
from cvr_data.core.trust import OUTSIDE
from cvr_data.modifications.asking.choices import LIKELIEST, NO_LOGPROBS, weigh_told, weighed_answer
from cvr_data.modifications.asking.request import (
    Answer,
    Backend,
    Request,
    Thinking,
    check_thinking,
    completion_text,
    thinking_name,
    thinking_settings,
    when_thinking,
)
from cvr_data.modifications.engines.chat import NO_IMAGES, chat_messages, check_chat_choices

TOKENS_PER_WORD = 1.4
"""Of English prompts, to keep to tokens_per_minute; an image counts as IMAGE_TOKENS."""
IMAGE_TOKENS = 800
_INSTEAD = "its server may filter answers, or not know how to hold it to a form (-o guided=none)"


def _parsed(extra: str) -> Any:
    try:
        return json.loads(extra)
    except json.JSONDecodeError:
        return None


@dataclass(frozen=True, kw_only=True)
class Config(ServerOptions):
    model: str
    """The name by which the server knows the model; it names the rows and is part of the cache key."""
    base_url: str = field(default="http://127.0.0.1:8000/v1", metadata={"output": False, OUTSIDE: True})
    """Of the interface, with its version: https://host/v1. The default is where `vllm serve` listens."""
    form: Literal["chat", "completion"] = "chat"
    """/chat/completions, or /completions for base models."""
    thinking: Thinking = "model"
    """Of a chat model that can, in vLLM's and llama.cpp's words (`chat_template_kwargs`): off, or on, which gives it
    room; model: as the server has it."""
    guided: Literal["json-schema", "json-object", "none"] = "json-schema"
    """How an answer is held to its prompt's schema; for servers that know only one or neither."""
    extra: str = "{}"
    """Further fields of each request, as JSON: {"reasoning_effort": "low"}."""
    length_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls the longest answer; OpenAI's newer models want the second."""
    send_top_k: bool = True
    """top_k is no part of OpenAI's interface, but of vLLM's and llama.cpp's; off for servers that refuse it."""
    key_variable: str = field(default="OPENAI_API_KEY", metadata={"output": False, OUTSIDE: True})
    """The environment variable that holds the key; unset or empty: no key is sent."""
    concurrency: int = field(default=16, metadata={"output": False})
    """Requests under way at most. vLLM batches what arrives together: 64 to 256 keep a GPU busy."""

    def __post_init__(self) -> None:
        check_server_address(self.base_url, "base_url")
        self.check_server_options()
        check_thinking(self.thinking, self.form)
        if not isinstance(_parsed(self.extra), dict):
            raise ValueError(f"extra should be a JSON object, got {mask_secrets(self.extra)!r}.")
        if secrets_in_text(self.extra):
            raise ValueError("extra is written down with the texts, so it may hold no key: name it with key_variable.")


def load(config: Config) -> Backend:
    """Return the backend; the server is first asked with the first `write`."""
    return OpenAIBackend(config)


class OpenAIBackend:
    """Writes with whatever model a server has."""

    is_pure = False
    tells_choices = f"{LIKELIEST} likeliest"
    gpus = 0

    def __init__(self, config: Config):
        self.config = config
        self.model = model_name(config)
        self._is_checked = False

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield answers as they arrive.

        Raises:
            CvrError: there is no server, or it refuses the key; only before anything is asked.
        """
        if not requests:
            return

        async def answer(server: Server, number: int) -> Answer:
            return await self._answer(server, requests[number])

        check = None if self._is_checked else self.config.key_variable
        self._is_checked = True
        try:
            yield from http_answers_at_once(self._limits(), len(requests), answer, check)
        except CvrError:
            self._is_checked = False
            raise

    def _limits(self) -> ServerLimits:
        return self.config.limits_of(self.config.base_url, self.config.key_variable)

    async def _answer(self, server: Server, request: Request) -> Answer:
        is_chat = self.config.form == "chat"
        if request.images and not is_chat:
            return Answer(text=None, error=NO_IMAGES)
        path = "/chat/completions" if is_chat else "/completions"
        try:
            answer = await server.ask(
                path, chat_request_body(self.config, request), tokens=_tokens(request), check=check_chat_choices
            )
        except ServerGone:
            self._is_checked = False  # whether it is back, the next write finds out
            return Answer(text=None, error=GONE)
        except Refused as error:
            return Answer(text=None, error=str(error))
        return _weighed(answer, is_chat, request.choices) if request.choices else _read(answer, is_chat)


def model_name(config: Config) -> str:
    """Return what names the model in rows and cache keys: its name, and what else changes the answers."""
    unusual = [value for value, usual in ((config.form, "chat"), (config.guided, "json-schema")) if value != usual]
    extra = [json.dumps(_parsed(config.extra), sort_keys=True)] if _parsed(config.extra) else []
    return " ".join([config.model, *unusual, *thinking_name(config.thinking), *extra])


def chat_request_body(config: Config, request: Request) -> dict[str, Any]:
    """Return the request's body."""
    request = request if request.choices else when_thinking(request, config.thinking)
    asked = request.parameters
    body: dict[str, Any] = {"model": config.model, config.length_field: 1 if request.choices else asked.max_tokens}
    body["temperature"] = asked.temperature
    if request.choices:
        body |= {"logprobs": True, "top_logprobs": LIKELIEST} if config.form == "chat" else {"logprobs": LIKELIEST}
    if asked.temperature > 0:
        body["seed"] = asked.seed
        if asked.top_k and config.send_top_k:
            body["top_k"] = asked.top_k
    if config.form == "chat":
        body["messages"] = chat_messages(request)
    else:
        body["prompt"] = completion_text(request)
        if request.one_line:
            body["stop"] = ["\n"]
    if request.schema and config.guided == "json-schema":
        named = {"name": "answer", "schema": json.loads(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    elif request.schema and config.guided == "json-object":
        body["response_format"] = {"type": "json_object"}
    if settings := thinking_settings(config.thinking):
        body["chat_template_kwargs"] = settings
    return {**body, **_parsed(config.extra)}


def _read(answer: dict[str, Any], is_chat: bool) -> Answer:
    choice = answer["choices"][0]
    text = choice["message"].get("content") if is_chat else choice.get("text")
    tokens: dict[str, Any] = {
        "tokens_in": http_usage_count(answer, "prompt_tokens"),
        "tokens_out": http_usage_count(answer, "completion_tokens"),
    }
    is_cut = choice.get("finish_reason") == "length"
    if text is None and is_chat:
        # Thoughts that took all the room, and refusals, come beside a content of null.
        text = "" if is_cut else choice["message"].get("refusal")
    if not isinstance(text, str):
        told = f"the model gave no text ({choice.get('finish_reason')}): {_INSTEAD}"
        return Answer(text=None, error=told, **tokens)
    return Answer(text=text, is_cut=is_cut, **tokens)


def _weighed(answer: dict[str, Any], is_chat: bool, choices: Sequence[str]) -> Answer:
    """How likely each choice was to come next, of a chat's or a completion's log-probabilities."""
    tokens: dict[str, Any] = {
        "tokens_in": http_usage_count(answer, "prompt_tokens"),
        "tokens_out": http_usage_count(answer, "completion_tokens"),
    }
    try:
        told = answer["choices"][0]["logprobs"]
        if is_chat:
            listed = [(str(each["token"]), float(each["logprob"])) for each in told["content"][0]["top_logprobs"]]
        else:
            listed = [(str(token), float(value)) for token, value in told["top_logprobs"][0].items()]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return Answer(text=None, error=NO_LOGPROBS, **tokens)
    return weighed_answer(weigh_told(listed, choices), **tokens)


def _tokens(request: Request) -> int:
    words = len(completion_text(request).split())
    return round(words * TOKENS_PER_WORD) + len(request.images) * IMAGE_TOKENS + request.parameters.max_tokens
