"""Batched decoding with a causal LM: the tokens that prompts of a group begin with are read once, their cache shared.

On a CPU two batches of half the size are decoded beside each other: with half of the cores each, they wait less. Each
row draws from its own generator, seeded by its request, so what is sampled does not depend on the batch.

Weights are named by their content: two folders of one name, or a folder trained again, are two models.
"""

# Shapes: B rows of a batch, P prefix tokens, L padded suffix tokens, V vocabulary.

import copy
import hashlib
import logging
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from cvr_data.core.device import DtypeName, each_torch_batch, torch_device_in_words, torch_device_of, torch_dtype_of
from cvr_data.core.errors import CvrError, first_line
from cvr_data.modifications.asking.choices import ChoiceTokens
from cvr_data.modifications.asking.request import Answer, Request, Thinking, completion_text, thinking_settings
from cvr_data.modifications.engines.picker import Picker, weighed_logits

AT_ONCE = 2
"""Batches beside each other on a CPU, which together are one batch of a GPU."""
_COMPACT = 0.75
"""Rows that have ended leave the batch when at most this share is still open: moving the cache costs a step."""

logger = logging.getLogger(__name__)


class _Prefix:
    """What the prompts of a group begin with, read by the first batch that needs it."""

    def __init__(self, tokens: list[int]):
        self.tokens = tokens
        self.lock = threading.Lock()
        self.cache: Any = None

    def read(self, model: Any) -> Any:
        """Return the keys and values; None where nothing is shared."""
        with self.lock:
            if self.cache is None and self.tokens:
                tokens_1P = torch.tensor([self.tokens], device=model.device)
                self.cache = model(input_ids=tokens_1P, use_cache=True, logits_to_keep=1).past_key_values
        return self.cache


@dataclass(frozen=True)
class _Batch:
    """Requests that are decoded together, by their positions, with their tokens after the prefix."""

    numbers: list[int]
    requests: list[Request]
    suffixes: list[list[int]]
    prefix: _Prefix


@dataclass
class CausalLM:
    """A loaded model with its tokenizer and how to batch."""

    model: Any
    tokenizer: Any
    is_chat: bool
    batch: int
    share_prefix: bool
    thinking: Thinking = "model"
    ends_line: dict[int, bool] = field(default_factory=dict)

    @classmethod
    def load(
        cls, name: str | Path, *, is_chat: bool, dtype: DtypeName, device: str, batch: int, share_prefix: bool,
        thinking: Thinking = "model",
    ) -> "CausalLM":  # fmt: skip
        """Return the model of a folder or Hub id, ready to write.

        Raises:
            CvrError: there is no such model, or chat is wanted of one without a chat template.
        """
        transformers_logging.disable_progress_bar()
        chosen = torch_device_of(device)
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
            model: Any = AutoModelForCausalLM.from_pretrained(
                name, dtype=torch_dtype_of(dtype, chosen), trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise CvrError(f"Cannot load the language model {str(name)!r}: {first_line(error)}") from None
        model = model.to(chosen).eval()
        if is_chat and tokenizer.chat_template is None:
            raise CvrError(f"The model {str(name)!r} has no chat template; use -o form=completion.")
        logger.info("Loaded %s on %s", name, torch_device_in_words(chosen, model.dtype))
        return cls(model, tokenizer, is_chat, batch, share_prefix, thinking)

    def write(self, requests: Sequence[Request], groups: Sequence[Sequence[int]]) -> Iterator[tuple[int, Answer]]:
        """Yield (position, answer), batch by batch as they end: what waited for a slow one would be lost with it.

        Args:
            requests: what to write.
            groups: positions of requests with equal parameters, which begin alike.
        """
        prompts = [self.tokens(request) for request in requests]
        batches: list[list[_Batch]] = []
        for numbers in groups:
            room = self.model.config.max_position_embeddings - self._steps(requests[numbers[0]])
            for number in numbers:
                if not 0 < len(prompts[number]) <= room:
                    told = f"prompt of {len(prompts[number])} tokens exceeds the model's {room}"
                    yield number, Answer(text=None, error=told if prompts[number] else "prompt of no tokens")
            fitting = [number for number in numbers if 0 < len(prompts[number]) <= room]
            batches.append(self._batches(requests, prompts, fitting))
        # Of each group in turn: batches that run beside each other then read prefixes of their own.
        in_turn = [batch for row in zip_longest(*batches) for batch in row if batch is not None]
        for place, answers in each_torch_batch(self._answer_batch, in_turn, self.model.device, at_once=AT_ONCE):
            for number, answer in zip(in_turn[place].numbers, answers, strict=True):
                yield number, replace(answer, tokens_in=len(prompts[number]))

    def _batches(
        self, requests: Sequence[Request], prompts: Sequence[list[int]], numbers: Sequence[int]
    ) -> list[_Batch]:
        """Return batches of about one size, shortest prompts first."""
        if not numbers:
            return []
        order = sorted(numbers, key=lambda number: len(prompts[number]))
        shared = _common_prefix([prompts[number] for number in order]) if self.share_prefix else 0
        prefix = _Prefix(prompts[order[0]][:shared])
        largest = self.batch if self.model.device.type != "cpu" else math.ceil(self.batch / AT_ONCE)
        size = math.ceil(len(order) / math.ceil(len(order) / largest))
        chunks = [order[start : start + size] for start in range(0, len(order), size)]
        return [
            _Batch(chunk, [requests[n] for n in chunk], [prompts[n][shared:] for n in chunk], prefix)
            for chunk in chunks
        ]

    def tokens(self, request: Request) -> list[int]:
        """Return the prompt's tokens, as a chat or as one text to continue."""
        if not self.is_chat:
            return self.tokenizer(completion_text(request))["input_ids"]
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **thinking_settings(self.thinking)
        )
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    @torch.inference_mode()
    def _answer_batch(self, batch: _Batch) -> list[Answer]:
        """Return what was written for each, or how likely each of its choices comes next."""
        if choices := batch.requests[0].choices:
            inputs_BL, mask_BX, positions_BL, cache = self._prompted(batch)
            logits_BV = self.model(
                input_ids=inputs_BL, attention_mask=mask_BX, position_ids=positions_BL, past_key_values=cache,
                use_cache=True, logits_to_keep=1,
            ).logits[:, -1]  # fmt: skip
            return weighed_logits(logits_BV, self._choices.of(choices))
        return [
            Answer(text=self.tokenizer.decode(tokens, skip_special_tokens=True), tokens_out=len(tokens), is_cut=is_cut)
            for tokens, is_cut in self._write_batch(batch)
        ]

    def _prompted(self, batch: _Batch) -> tuple[Tensor, Tensor, Tensor, Any]:
        """Return tokens, mask and positions of the prompts after the prefix, and the prefix' keys and values."""
        prefix = batch.prefix
        inputs_BL, mask_BX = _left_padded(batch.suffixes, len(prefix.tokens), self.model.device)
        positions_BL = (mask_BX.cumsum(dim=1) - 1).clamp(min=0)[:, len(prefix.tokens) :]
        cache = copy.deepcopy(prefix.read(self.model))
        if cache is not None:
            cache.batch_repeat_interleave(len(batch.requests))
        return inputs_BL, mask_BX, positions_BL, cache

    def _write_batch(self, batch: _Batch) -> list[tuple[list[int], bool]]:
        """Return what was written for each, and whether the room ended before the text."""
        requests = batch.requests
        inputs_BL, mask_BX, positions_BL, cache = self._prompted(batch)
        pick = Picker(requests)
        written: list[list[int]] = [[] for _ in requests]
        rows, ended = list(range(len(requests))), set[int]()
        for _ in range(self._steps(requests[0])):
            output = self.model(
                input_ids=inputs_BL,
                attention_mask=mask_BX,
                position_ids=positions_BL,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = output.past_key_values
            chosen_B = pick(output.logits[:, -1].float().cpu(), rows)
            is_open = [
                row not in ended and self._extend(written[row], token, requests[row].one_line)
                for row, token in zip(rows, chosen_B.tolist(), strict=True)
            ]
            ended |= {row for row, still in zip(rows, is_open, strict=True) if not still}
            if not any(is_open):
                break
            mask_BX, positions_BL = torch.nn.functional.pad(mask_BX, (0, 1), value=1), positions_BL[:, -1:] + 1
            if sum(is_open) <= _COMPACT * len(rows):
                kept = torch.tensor(is_open).nonzero().flatten()
                cache.batch_select_indices(kept.to(self.model.device))
                rows = [rows[place] for place in kept.tolist()]
                mask_BX, positions_BL, chosen_B = mask_BX[kept], positions_BL[kept], chosen_B[kept]
            inputs_BL = chosen_B[:, None].to(self.model.device)
        return [(tokens, row not in ended) for row, tokens in enumerate(written)]

    def _steps(self, request: Request) -> int:
        """Return how many tokens may be written: room for thoughts leaves half of a small model to its prompt."""
        return min(request.parameters.max_tokens, max(self.model.config.max_position_embeddings // 2, 1))

    def _extend(self, written: list[int], token: int, one_line: bool) -> bool:
        if token in self._end_tokens:
            return False
        if one_line and self._ends_line(token):
            return not written
        written.append(token)
        return True

    def _ends_line(self, token: int) -> bool:
        if token not in self.ends_line:
            self.ends_line[token] = "\n" in self.tokenizer.decode([token])
        return self.ends_line[token]

    @cached_property
    def _choices(self) -> ChoiceTokens:
        return ChoiceTokens(lambda text: self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @property
    def _end_tokens(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        found = configured if isinstance(configured, list) else [configured]
        return {token for token in [*found, self.tokenizer.eos_token_id] if token is not None}


def _common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all prompts begin with, leaving each at least one of its own."""
    # What the first and the last in alphabetical order share, all share.
    first, last = min(map(list, prompts)), max(map(list, prompts))
    limit = min(len(prompt) for prompt in prompts) - 1
    differs = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return min(next(differs, limit), limit)


def _left_padded(suffixes: Sequence[Sequence[int]], shared: int, device: torch.device) -> tuple[Tensor, Tensor]:
    length = max(map(len, suffixes))
    inputs_BL = torch.tensor([[0] * (length - len(row)) + list(row) for row in suffixes], device=device)
    mask_BX = torch.tensor(
        [[1] * shared + [0] * (length - len(row)) + [1] * len(row) for row in suffixes], device=device
    )
    return inputs_BL, mask_BX


_EDGE_BYTES = 1 << 20


def language_model_name(model: str) -> str:
    """Return a folder's name and a hash of its files; anything else (a Hub id, a built-in name) as it is."""
    folder = Path(model)
    return f"{folder.resolve().name}@{language_model_fingerprint(folder)}" if folder.is_dir() else model


def language_model_fingerprint(folder: Path) -> str:
    """Return 12 hex digits of a hash of the file sizes, and the first and last megabyte of each file."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, size - _EDGE_BYTES))
            digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()[:12]
