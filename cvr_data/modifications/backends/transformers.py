"""A causal language model of Hugging Face, on this machine: batched, length-sorted, the shared prompt read once.

    cvr generate-modifications pairs --style short --llm transformers -o model=path/or/hub-id -o form=chat

The default is SmolLM2-135M-Instruct, which needs no account and no download beyond its package. Greedy text may differ
with the batch a row falls into (rounding); what makes a run repeatable is the request cache.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.choices import EACH
from cvr_data.modifications.asking.request import (
    Answer,
    Backend,
    Request,
    Thinking,
    check_thinking,
    thinking_name,
    when_thinking,
)
from cvr_data.modifications.engines.causal_lm import language_model_name
from cvr_data.modifications.engines.products import backend_with_type, language_model_unusual_type
from cvr_data.modifications.engines.smollm2 import NAME, smollm2_folder

if TYPE_CHECKING:
    from cvr_data.modifications.engines.causal_lm import CausalLM
    from cvr_data.modifications.engines.image_text_lm import ImageTextLM


@dataclass(frozen=True, kw_only=True)
class Config:
    model: str = NAME
    """A folder with a causal LM, or a Hub id; the default comes as a package. For frames, a vision-language model."""
    form: Literal["completion", "chat"] = "completion"
    """How the prompt is laid out. The 135M model follows a completion better; chat suits models of 1B and more."""
    thinking: Thinking = "model"
    """Of a chat model that can: off or on, which gives it room; model: as its chat template has it."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Weights and activations; auto is bfloat16 where the hardware has it. The manifest records what was used."""
    batch: int = field(default=32, metadata={"output": False})
    """Prompts decoded together; on a CPU in two halves, beside each other."""
    device: str = field(default="auto", metadata={"output": False})
    """cpu, cuda, cuda:1, or auto: the GPU if there is one."""
    share_prefix: bool = field(default=True, metadata={"output": False})
    """Read the words that all prompts begin with once. Off for models without a plain key-value cache."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be at least 1, got {self.batch}.")
        check_thinking(self.thinking, self.form)


def load(config: Config) -> Backend:
    """Return the backend; the model is loaded with the first `write`."""
    return TransformersBackend(config)


class TransformersBackend:
    """Writes with a causal language model."""

    is_pure = False
    tells_choices = EACH
    gpus = 1

    def __init__(self, config: Config):
        self.config = backend_with_type(config)
        self.model = model_name(self.config)
        self._engine: CausalLM | None = None
        self._vision: ImageTextLM | None = None

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield answers batch by batch, shortest prompts first."""
        if not requests:
            return
        requests = [when_thinking(request, self.config.thinking) for request in requests]
        alike: dict[tuple[object, ...], list[int]] = {}
        for number, request in enumerate(requests):
            asked = request.parameters
            introduction = request.messages[:-1]
            key = (introduction, asked.max_tokens, asked.temperature, asked.top_k, request.one_line, request.choices)
            alike.setdefault(key, []).append(number)
        if not requests[0].images:
            yield from self._started().write(requests, list(alike.values()))
            return
        for numbers in alike.values():
            for position, answer in self._started_vision().write([requests[number] for number in numbers]):
                yield numbers[position], answer

    def _started(self) -> "CausalLM":
        if self._engine is None:
            from cvr_data.modifications.engines.causal_lm import CausalLM

            folder = smollm2_folder() if self.config.model == NAME else self.config.model
            self._engine = CausalLM.load(
                folder,
                is_chat=self.config.form == "chat",
                thinking=self.config.thinking,
                dtype=self.config.dtype,
                device=self.config.device,
                batch=self.config.batch,
                share_prefix=self.config.share_prefix,
            )
        return self._engine

    def _started_vision(self) -> "ImageTextLM":
        if self.config.model == NAME:
            raise CvrError(f"{NAME} takes no images; name a vision-language model: -o model=FOLDER.")
        if self._vision is None:
            from cvr_data.modifications.engines.image_text_lm import ImageTextLM

            self._vision = ImageTextLM.load(
                self.config.model, thinking=self.config.thinking, dtype=self.config.dtype, device=self.config.device,
                batch=self.config.batch,
            )  # fmt: skip
        return self._vision


def model_name(config: Config) -> str:
    """Return what names the model in rows and cache keys: for a folder its name and a hash of its files."""
    form = [] if config.form == "completion" else [config.form]
    thinking = thinking_name(config.thinking)
    return " ".join(
        [
            language_model_name(config.model),
            *form,
            *thinking,
            *language_model_unusual_type(backend_with_type(config).dtype),
        ]
    )
