"""Multimodal models behind an HTTP interface: a request per item, within limits, from the request cache if it is there.

    openai    POST URL/embeddings with `messages`, as `vllm serve MODEL --runner pooling` takes a film and a text in one
              input; the frames go as one film of JPEG pictures, their numbers and rate beside them
    voyage    POST URL/multimodalembeddings; frames and text are pieces of one content

Other interfaces take one medium per input, or their documents were not at hand. The key is read from the environment
and goes into the Authorization header, nowhere else. An item that a server refuses has no embedding and a reason.

Source: https://docs.vllm.ai (Embeddings API with messages; pre-extracted frames with `media_io_kwargs`) and
https://docs.voyageai.com/docs/multimodal-embeddings.
"""

# Shapes: B items, D embedding.

import base64
import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from cvr_data.core.asked_server import (
    GONE,
    Failure,
    Refused,
    Server,
    ServerGone,
    ServerLimits,
    check_server_address,
    http_answers_at_once,
    http_usage_count,
)
from cvr_data.core.errors import CvrError
from cvr_data.core.model_packages import cache_folder
from cvr_data.core.server_options import ServerOptions
from cvr_data.core.stored_answers import History, StoredAnswer, StoredAnswers
from cvr_data.core.trust import OUTSIDE
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput, Side
from cvr_data.media.video import jpeg_bytes, jpeg_data_uri

logger = logging.getLogger(__name__)
Api = Literal["none", "openai", "voyage"]
URLS = {"openai": "http://127.0.0.1:8000/v1", "voyage": "https://api.voyageai.com/v1"}
KEYS = {"openai": "OPENAI_API_KEY", "voyage": "VOYAGE_API_KEY"}
URL_VARIABLES = {"openai": "OPENAI_BASE_URL", "voyage": "VOYAGE_BASE_URL"}
PATHS = {"openai": "/embeddings", "voyage": "/multimodalembeddings"}
TEXT_RUNS, FILM_RUNS = "embedding texts", "embedding videos"
"""What the request cache calls runs of embedders: of items without frames, and with them."""
PREFIX = "float32:"
MOST = 1e38
"""Of a number that fits in 32 bits."""
TOKENS_PER_WORD, IMAGE_TOKENS = 1.4, 800
"""To keep to tokens_per_minute, and to estimate what a run costs."""


@dataclass(frozen=True, kw_only=True)
class Remote(ServerOptions):
    """Options of models behind an HTTP interface."""

    api: Api = "none"
    """The interface of a server that has the model: openai (as vLLM's, with messages), voyage; none: loaded here."""
    url: str | None = field(default=None, metadata={"output": False, OUTSIDE: True})
    """Of the interface, with its version: https://host/v1. None is $OPENAI_BASE_URL or $VOYAGE_BASE_URL, else where
    `vllm serve` listens, or the vendor's; `cvr bench`, which knows stored features by their model, asks there."""
    key_variable: str | None = field(default=None, metadata={"output": False, OUTSIDE: True})
    """The environment variable that holds the key; None is OPENAI_API_KEY or VOYAGE_API_KEY. Unset: none is sent."""
    films: Literal["film", "pictures"] = "film"
    """How frames go to an openai interface: as one film, which vLLM takes, or as pictures one after the other."""
    cache: Path | None = field(default=None, metadata={"output": False})
    """Request cache (SQLite); None is requests.sqlite in cvr's cache folder."""

    def check_remote(self) -> None:
        """Refuse what no server can be asked with. Raises ValueError: so."""
        if self.url is not None:
            check_server_address(self.url, "url")
            if self.api == "none":
                raise ValueError("url is of a server: say which interface it has, api=openai or api=voyage.")
        self.check_server_options()

    @property
    def answers(self) -> Path:
        """The request cache."""
        return self.cache or cache_folder() / "requests.sqlite"


class RemoteModel:
    """A model that a server has.

    Args:
        remote: which server, and how it may be asked.
        name: what the server calls the model.
        dim: Matryoshka width; None is the model's own.
    """

    takes_texts, takes_frames = True, False

    def __init__(self, remote: Remote, name: str, *, dim: int | None):
        self.remote, self.name, self.width = remote, name, dim
        self._is_checked = False
        self.dim = 0
        rows_BD, said = self.encode_or_say([EmbeddingInput("a video")], "query", None)
        if said[0] is not None:
            raise CvrError(f"{name} embeds no text at {self._url()}: {said[0]}.")
        self.dim = rows_BD.shape[1]
        if dim is not None and self.dim < dim:
            raise CvrError(f"{name} gave an embedding of {self.dim} numbers, which dim={dim} cannot be cut from.")

    def encode(self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None) -> Tensor:
        """Return (B, D) float32, zero where an item is refused, which is told."""
        rows_BD, said = self.encode_or_say(items, side, prompt)
        if refused := [reason for reason in said if reason is not None]:
            logger.warning("%d of %d items have no embedding: %s", len(refused), len(items), refused[0])
        return rows_BD

    def encode_or_say(
        self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None
    ) -> tuple[Tensor, list[str | None]]:
        """Return (B, D) float32, and for each item why it has none, which is then zero.

        Raises:
            CvrError: there is no server, it refuses the key, or it stops answering; what it answered is kept.
        """
        bodies = [remote_embedding_body(self.remote, self.name, item, side, prompt, self.width) for item in items]
        keys = [_key(self.remote.api, body) for body in bodies]
        films = {key for key, item in zip(keys, items, strict=True) if item.frames is not None}
        with StoredAnswers(self.remote.answers) as cache:
            found = {key: _vector(stored)[: self.width] for key, stored in cache.stored(keys).items()}
            asked = {key: body for key, body in zip(keys, bodies, strict=True) if key not in found}
            said, tokens, seconds = self._ask(asked, cache, found)
            if self.dim:  # what is asked first, for the width alone, says nothing of later requests
                _add_runs(cache, self.name, tokens, films, seconds)
        reasons = [said.get(key) for key in keys]
        width = self._width(found)
        for row_D in found.values():
            self._check_width(row_D, width)
        blank = np.zeros(width, np.float32)
        return torch.from_numpy(np.stack([found.get(key, blank) for key in keys])), reasons

    def _ask(
        self, asked: dict[str, dict[str, Any]], cache: StoredAnswers, found: dict[str, np.ndarray]
    ) -> tuple[dict[str, str], dict[str, int], float]:
        """Ask for these keys, keep each answer as it comes; return why there is none, else its tokens, and seconds."""
        said: dict[str, str] = {}
        tokens: dict[str, int] = {}
        if not asked:
            return said, tokens, 0.0
        started, keys, bodies = time.monotonic(), [*asked], [*asked.values()]
        check = None if self._is_checked else self.remote.key_variable or KEYS[self.remote.api]
        is_down = False

        async def answer(server: Server, number: int) -> tuple[np.ndarray, int] | str:
            nonlocal is_down
            try:
                told = await server.ask(
                    PATHS[self.remote.api], bodies[number], tokens=_tokens(bodies[number]), check=_check_embedding
                )
            except Refused as error:
                is_down |= server.is_gone
                server.is_gone |= _is_of_all(str(error))
                return str(error)
            except ServerGone:
                return GONE
            return _embedding(told), http_usage_count(told, "total_tokens", "prompt_tokens") or 0

        for number, answered in http_answers_at_once(self._limits(), len(bodies), answer, check):
            self._is_checked = True
            key = keys[number]
            if isinstance(answered, str):
                said[key] = answered
                continue
            row_D, tokens[key] = answered
            self._check_width(row_D[: self.width], self._width(found))  # before it is kept: it would fail every run
            cache.store(key, self.name, StoredAnswer(_text(row_D), tokens_in=tokens[key], tokens_out=0))
            found[key] = row_D[: self.width]
        why = next(filter(_is_of_all, said.values()), None)
        if why or GONE in said.values() or (is_down and not self._embeds_a_text()):
            raise CvrError(f"{self._url()}: {why or GONE}; what it answered is kept, so run this again.")
        return said, tokens, time.monotonic() - started

    def _embeds_a_text(self) -> bool:
        """Whether the server answers now: then it failed at its items alone, though nothing else was answered then."""
        body = remote_embedding_body(self.remote, self.name, EmbeddingInput("a video"), "query", None, self.width)

        async def answer(server: Server, number: int) -> bool:
            try:
                await server.ask(PATHS[self.remote.api], body, tokens=_tokens(body), check=_check_embedding)
            except (Refused, ServerGone):
                return False
            return True

        return all(is_answered for _, is_answered in http_answers_at_once(self._limits(), 1, answer, None))

    def _width(self, found: dict[str, np.ndarray]) -> int:
        """How many numbers the model's embeddings have, once one is known."""
        return self.dim or next((len(row_D) for row_D in found.values()), 0)

    def _check_width(self, row_D: np.ndarray, width: int) -> None:
        if width and len(row_D) != width:
            raise CvrError(
                f"{self.name} gave embeddings of {width} and of {len(row_D)} numbers; if the server has another model "
                "under that name now, name another request cache with -o cache=FILE."
            )

    def _url(self) -> str:
        api = self.remote.api
        return (self.remote.url or os.environ.get(URL_VARIABLES[api]) or URLS[api]).rstrip("/")

    def _limits(self) -> ServerLimits:
        api, key_variable = self.remote.api, self.remote.key_variable
        said_by = f"${URL_VARIABLES[api]}, or -o url= of cvr embed,"
        return self.remote.limits_of(self._url(), key_variable or KEYS[api], said_by)


def remote_embedding_body(
    remote: Remote, name: str, item: EmbeddingInput, side: Side, prompt: str | None, width: int | None
) -> dict[str, Any]:
    """Return what a server is asked for one item: the frames stand before the text, as in chats."""
    pictures = [] if item.frames is None else [jpeg_data_uri(jpeg_bytes(frame)) for frame in item.pixels]
    if remote.api == "voyage":
        pieces = [{"type": "text", "text": prompt}] if prompt else []
        pieces += [{"type": "image_base64", "image_base64": picture} for picture in pictures]
        pieces += [{"type": "text", "text": item.text}] if item.text else []
        wide = {"output_dimension": width} if width else {}
        return {"model": name, "inputs": [{"content": pieces}], "input_type": side, **wide}
    content: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    if len(pictures) > 1 and remote.films == "film":
        frames = ",".join(picture.partition(",")[2] for picture in pictures)
        content.append({"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{frames}"}})
        about = {"media_io_kwargs": {"video": {**item.metadata, "do_sample_frames": False}}}
    else:
        content += [{"type": "image_url", "image_url": {"url": picture}} for picture in pictures]
    content.append({"type": "text", "text": item.text or ""})
    told = [{"role": "system", "content": [{"type": "text", "text": prompt}]}] if prompt else []
    messages = [*told, {"role": "user", "content": content}, {"role": "assistant", "content": [_BLANK]}]
    wide = {"dimensions": width} if width else {}
    how = {"encoding_format": "float", "continue_final_message": True, "add_special_tokens": True}
    return {"model": name, "messages": messages, **how, **about, **wide}


_BLANK = {"type": "text", "text": ""}


def _add_runs(cache: StoredAnswers, name: str, tokens: dict[str, int], films: set[str], seconds: float) -> None:
    """Remember what was asked of texts, and of films, which have many times the tokens."""
    for kind, keys in ((TEXT_RUNS, tokens.keys() - films), (FILM_RUNS, tokens.keys() & films)):
        if keys:
            count, share = sum(tokens[key] for key in keys), seconds * len(keys) / len(tokens)
            cache.add_run(name, kind, History(requests=len(keys), tokens_in=count, tokens_out=0, seconds=share))


def _key(api: str, body: dict[str, Any]) -> str:
    asked = json.dumps([PATHS[api], body], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def _tokens(body: dict[str, Any]) -> int:
    """About how many tokens a request has."""
    pieces = body["inputs"][0]["content"] if "inputs" in body else [
        piece for message in body["messages"] for piece in message["content"]
    ]  # fmt: skip
    films = sum(piece["video_url"]["url"].count(",") for piece in pieces if piece["type"] == "video_url")
    pictures = films + sum(piece["type"].startswith("image") for piece in pieces)
    words = sum(len(piece["text"].split()) for piece in pieces if piece["type"] == "text")
    return round(words * TOKENS_PER_WORD) + pictures * IMAGE_TOKENS


def _check_embedding(answer: dict[str, Any]) -> None:
    data = answer.get("data")
    first = data[0] if isinstance(data, list) and len(data) == 1 else None
    values = first.get("embedding") if isinstance(first, dict) else None
    is_row = isinstance(values, list) and all(type(value) in (int, float) and abs(value) < MOST for value in values)
    if not is_row or not np.any(np.array(values, np.float32)):  # zeros are what a refused item has
        raise Failure("the server's answer has no embedding of finite numbers that are not all 0", is_down=False)


def _embedding(answer: dict[str, Any]) -> np.ndarray:
    return np.array(answer["data"][0]["embedding"], np.float32)


def _is_of_all(reason: str) -> bool:
    """Whether a refusal holds for any item: no such key any more, or no money."""
    return reason.startswith(("401", "402", "429"))


def _text(row_D: np.ndarray) -> str:
    return PREFIX + base64.b64encode(row_D.astype("<f4").tobytes()).decode("ascii")


def _vector(stored: StoredAnswer) -> np.ndarray:
    if not stored.text.startswith(PREFIX):
        raise CvrError("The request cache holds a text where an embedding was asked for; name another with cache=FILE.")
    return np.frombuffer(base64.b64decode(stored.text.removeprefix(PREFIX)), "<f4").copy()
