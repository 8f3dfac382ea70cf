"""Fine-tunes a causal language model to write modification texts, from examples that people chose or wrote.

    train_generator([Path("examples.jsonl")], Path("generator"), Config())
    cvr generate-modifications pairs --style trained --llm transformers -o model=generator

The folder is a plain Hugging Face one with the examples beside the weights: whoever scores a model on texts of this
generator can see what it was trained on (`cvr_bench.audit.generators`).

Source: MTG-LLM of Ventura et al., AAAI 2024 (https://arxiv.org/abs/2308.14746), which is LLaMA-7B fine-tuned on 715
examples for one epoch at 3e-5. Here any causal LM, the loss on the answer alone, the epoch chosen on held-out videos.
"""

import hashlib
import shutil
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import numbered_inputs
from cvr_data.core.ranges import POSITIVE, SHARE, SIZE, Ranged, option_range
from cvr_data.core.registry import config_dict
from cvr_data.core.whole_files import json_bytes
from cvr_data.modifications.asking.request import Change, Request
from cvr_data.modifications.engines.causal_lm import language_model_name
from cvr_data.modifications.engines.products import backend_runs_on, backend_with_type
from cvr_data.modifications.engines.smollm2 import NAME, smollm2_folder
from cvr_data.modifications.pairs import prompt_variables_of_pair, prompted_change
from cvr_data.modifications.prompts import Prompt, load_prompt
from cvr_data.modifications.training.examples import EXAMPLES, Example, hold_out_generator_examples, read_examples
from cvr_data.modifications.training.trained import STAGE

if TYPE_CHECKING:
    from cvr_data.modifications.engines.causal_lm import CausalLM
    from cvr_data.modifications.training.loop import Learner, Sample

VERSION = 2
WEIGHTS = ".weights"


@dataclass(frozen=True, kw_only=True)
class Config(Ranged):
    model: str = NAME
    """The model to start from: a folder with a causal LM, or a Hub id; the default comes as a package."""
    prompt: str = "trained"
    """How an example is laid out: a prompt without JSON, built-in or a YAML file. Generate with the same one."""
    form: Literal["completion", "chat"] = "completion"
    """As the transformers backend has it; generate with the same one."""
    method: Literal["full", "lora"] = "full"
    """Train all weights, or low-rank adapters (needs peft)."""
    rank: int = field(default=16, metadata=option_range(SIZE))
    """Of the adapters, which sit at all linear layers; their scale is twice the rank."""
    save: Literal["merged", "adapter"] = "merged"
    """With lora: plain weights, or the adapter alone, for an engine that adds it to the base model."""
    epochs: int = field(default=3, metadata=option_range(SIZE))
    """Times each example is seen at most: the epoch with the lowest held-out loss is kept."""
    batch_size: int = field(default=16, metadata=option_range(SIZE))
    """Examples per step."""
    learning_rate: float = field(default=1e-4, metadata=option_range(POSITIVE))
    """Peak; it rises over the warm-up and then falls in a line to zero. 1e-4 suits 135M weights, 3e-5 suits 7B."""
    warmup: float = field(default=0.1, metadata=option_range(SHARE))
    """Share of the steps."""
    weight_decay: float = 0.0
    """Of AdamW."""
    held_out: float = field(default=0.1, metadata=option_range(SHARE))
    """Share of the examples, drawn by video, that is not trained on but used to choose the epoch; 0: the last epoch."""
    max_tokens: int = field(default=512, metadata=option_range(SIZE))
    """Longer examples are left out, and counted."""
    splits: tuple[str, ...] = ("train",)
    """Of a folder of modifications, learn from pairs of these splits; pairs without a split are always taken."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """Type of the products; with lora of the frozen weights too. Trained weights are kept in float32. auto is bfloat16
    where the hardware has it; float16 is for GPUs."""
    device: str = field(default="auto", metadata={"output": False})
    """cpu, cuda, cuda:1, or auto: the GPU if there is one."""
    seed: int = 0
    """Of the order, the held-out videos and the first weights of adapters."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.save == "adapter" and self.method != "lora":
            raise ValueError("save=adapter belongs to method=lora.")


def train_generator(sources: Sequence[Path], out: Path, config: Config, *, overwrite: bool = False) -> Artifact:
    """Write the trained model to `out` and return it as an artifact whose rows are its examples.

    Raises:
        CvrError: a source holds nothing to learn, the model cannot be loaded, or `out` holds something else.
    """
    prompt = load_prompt(config.prompt)
    if prompt.schema or prompt.task != "change":
        raise CvrError(f"The prompt {prompt.name} cannot be trained on; take one that asks for a change in plain text.")
    inputs = numbered_inputs("examples", sources)
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=_training_identity(config, prompt), inputs=inputs, overwrite=overwrite
    )
    if (done := writer.finished()) is not None:
        return done
    examples = [example for path in sources for example in read_examples(path, config.splits)]
    with writer:
        engine = _load_causal_lm(config)
        usable = _usable_examples(examples, prompt, engine, config)
        training, held_out = hold_out_generator_examples(usable, config.held_out, config.seed)
        learner = _learn_texts(engine, prompt, training, held_out, config)
        _save_generator(learner.model, engine.tokenizer, writer.path, config)
        rows = [example.row("training") for example in training] + [example.row("choice") for example in held_out]
        writer.write_part(0, pa.Table.from_pylist(rows, schema=EXAMPLES))
        return writer.finish(
            None, trained_on=_examples_summary(training, held_out), left_out=len(examples) - len(usable),
            history=learner.history, best_epoch=learner.best_epoch, **backend_runs_on(config),
        )  # fmt: skip


def request_of(example: Example, prompt: Prompt) -> Request | None:
    """Return what would be asked for the example's pair; None where the prompt has no change to describe."""
    change = prompted_change(example.pair, prompt.changes)
    if change is None:
        if prompt.changes != "any":
            return None
        change = Change(kind="", slot="", before="", after="")
    return Request(
        pair_id=example.pair["pair_id"],
        style=prompt.style,
        change=change,
        messages=(
            *prompt.introduction(0, change.slot),
            prompt.question(prompt_variables_of_pair(example.pair, change, prompt.changes)),
        ),
        lead=prompt.lead,
        prompt_sha256=prompt.sha256,
    )


def generator_samples(examples: Sequence[Example], prompt: Prompt, engine: "CausalLM") -> "list[Sample]":
    """Return the tokens of the examples that the prompt fits, in order."""
    from cvr_data.modifications.training.loop import Sample

    samples = []
    for example in examples:
        if (request := request_of(example, prompt)) is not None:
            text = example.modification if engine.is_chat else f" {example.modification}"
            answer = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
            samples.append(Sample(engine.tokens(request), [*answer, engine.tokenizer.eos_token_id]))
    return samples


def _training_identity(config: Config, prompt: Prompt) -> dict[str, Any]:
    return {
        **config_dict(backend_with_type(config)),
        "model": language_model_name(config.model),
        "prompt": prompt.name,
        "prompt_sha256": prompt.sha256,
    }


def _load_causal_lm(config: Config) -> "CausalLM":
    from cvr_data.modifications.engines.causal_lm import CausalLM

    engine = CausalLM.load(
        smollm2_folder() if config.model == NAME else config.model,
        is_chat=config.form == "chat",
        dtype=config.dtype if config.method == "lora" else "float32",
        device=config.device,
        batch=config.batch_size,
        share_prefix=False,
    )
    if engine.tokenizer.eos_token_id is None:
        raise CvrError(f"The tokenizer of {config.model!r} has no end-of-text token, so no answer could ever end.")
    return engine


def _usable_examples(examples: Sequence[Example], prompt: Prompt, engine: "CausalLM", config: Config) -> list[Example]:
    kept = []
    for example in examples:
        samples = generator_samples([example], prompt, engine)
        if samples and len(samples[0]) <= config.max_tokens:
            kept.append(example)
    if len(kept) < 2:
        raise CvrError(f"Only {len(kept)} of {len(examples)} examples can be learned from with {prompt.name!r}.")
    return kept


def _learn_texts(
    engine: "CausalLM", prompt: Prompt, training: Sequence[Example], held_out: Sequence[Example], config: Config
) -> "Learner":
    import torch
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    from cvr_data.core.device import torch_precision_of
    from cvr_data.modifications.training.loop import Learner, Schedule

    # accelerate keeps the precision of a process' first accelerator for all others
    AcceleratorState._reset_state(reset_partial_state=True)
    device = engine.model.device
    accelerator = Accelerator(mixed_precision=torch_precision_of(config.dtype, device), cpu=device.type == "cpu")
    schedule = Schedule(
        epochs=config.epochs, batch_size=config.batch_size, learning_rate=config.learning_rate, warmup=config.warmup,
        weight_decay=config.weight_decay, seed=config.seed,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = _with_adapters(engine.model, config) if config.method == "lora" else engine.model
        learner = Learner(model, accelerator, schedule)
        learner.learn(generator_samples(training, prompt, engine), generator_samples(held_out, prompt, engine))
    return learner


def _with_adapters(model: Any, config: Config) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError:
        raise CvrError("method=lora needs peft: pip install 'cvr[peft]'.") from None
    adapters = LoraConfig(r=config.rank, lora_alpha=2 * config.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        # peft asks transformers by a name that goes away in its next major version
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, adapters)


def _save_generator(model: Any, tokenizer: Any, out: Path, config: Config) -> None:
    """Write model (plain weights in bfloat16) and tokenizer; what another run left half-written is replaced."""
    import torch

    temporary = out / WEIGHTS
    shutil.rmtree(temporary, ignore_errors=True)
    if config.method == "lora" and config.save == "merged":
        model = model.merge_and_unload()
    if config.save == "merged":
        model = model.to(torch.bfloat16)
    model.eval().save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    for path in sorted(temporary.iterdir()):
        path.replace(out / path.name)
    temporary.rmdir()


def _examples_summary(training: Sequence[Example], held_out: Sequence[Example]) -> dict[str, Any]:
    examples = [*training, *held_out]
    videos = {example.pair[name] for example in examples for name in ("reference_id", "target_id")}
    ids = sorted({example.example_id for example in examples})
    return {
        "training": len(training),
        "choice": len(held_out),
        "videos": len(videos),
        "sources": dict(sorted(Counter(example.source for example in examples).items())),
        "examples_sha256": hashlib.sha256(json_bytes(ids)).hexdigest(),
    }
