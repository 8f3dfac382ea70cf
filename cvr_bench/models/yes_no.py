"""Ask a vision-language model whether a candidate answers a query, and take the logit of yes minus that of no.

    cvr bench --model rerank -e embeddings/qwen -o first=embedder -o second=yes-no -o top=20 \
        -o second_options=model=Qwen/Qwen3-VL-8B-Instruct,videos=videos

It is shown the reference's frames, the text, and the candidate's frames; one forward pass, nothing is written, so that
the order is finer than that of ratings (`judge`). Every pair is one pass: meant for the second stage of `rerank`.
`engine=vllm` asks vLLM for the log-probabilities of one token, which differ by the same number.

Source: the score of RankVideo (https://arxiv.org/abs/2602.02444) and Qwen3-VL-Reranker
(https://arxiv.org/abs/2601.04720), with a question of our own.
"""

# Shapes: B pairs, V vocabulary.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cvr_bench.models.parts.clip_pairs import ClipPair, DrawnScorer, PairConfig, PairScorer, Score
from cvr_data.core.errors import CvrError
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.protocol import Encoder
from cvr_data.media.video import Frames

READS_CLIPS = True
"""Its inputs are files, so features that are altered for an audit do not reach it."""
SYSTEM = (
    "Judge whether the candidate video is what the instruction makes of the reference video. "
    'Note that the answer can only be "yes" or "no".'
)


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    engine: Literal["transformers", "vllm"] = "transformers"
    """What runs the model, a vision-language chat model."""
    instruction: str = SYSTEM
    """What the model is told to do."""
    yes: str = "yes"
    """The word, or the beginning of one, whose first token speaks for the candidate."""
    no: str = "no"
    """The word whose first token speaks against it."""
    batch_size: int = field(default=4, metadata={"output": False, **option_range(SIZE)})
    """Pairs that the model is given at once."""


TINY = Config(tiny=True)


def load(config: Config, encoder: Encoder) -> PairScorer | DrawnScorer:
    if config.tiny:
        return DrawnScorer()
    score: Score = _by_vllm(config) if config.engine == "vllm" else _by_transformers(config)
    return PairScorer("yes-no", config, score)


def _question(pair: ClipPair, instruction: str) -> list[dict[str, Any]]:
    """Return the chat about a pair, with a place for each frame."""
    shown: list[dict[str, Any]] = []
    if pair.reference is not None:
        shown += [_said("Reference video:"), *_places(pair.reference)]
    if pair.text is not None:
        shown.append(_said(f"Instruction: {pair.text}"))
    shown += [_said("Candidate video:"), *_places(pair.candidate), _said("Is it the one that is asked for?")]
    return [{"role": "system", "content": [_said(instruction)]}, {"role": "user", "content": shown}]


def _pictures(pair: ClipPair) -> list[Any]:
    """Return the frames of a pair in the order of their places in the chat, as PIL images."""
    from PIL import Image

    frames = [each for each in (pair.reference, pair.candidate) if each is not None]
    return [Image.fromarray(frame) for each in frames for frame in each.pixels]


def _said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _places(frames: Frames) -> list[dict[str, Any]]:
    return [{"type": "image"} for _ in frames.pixels]


def _by_transformers(config: Config) -> Score:
    """Return what scores pairs by one forward pass each."""
    import torch

    from cvr_data.modifications.engines.image_text_lm import ImageTextLM

    assert config.model is not None
    engine = ImageTextLM.load(config.model, dtype=config.dtype, device=config.device, batch=config.batch_size)
    processor, model = engine.processor, engine.model
    yes, no = _token_ids(processor.tokenizer, config)

    @torch.inference_mode()
    def of_batch(pairs: Sequence[ClipPair]) -> list[float]:
        prompts = [
            processor.apply_chat_template(
                _question(pair, config.instruction), tokenize=False, add_generation_prompt=True
            )
            for pair in pairs
        ]
        shown = [_pictures(pair) for pair in pairs]
        inputs = processor(text=prompts, images=shown, padding=True, return_tensors="pt")
        logits_BV = model(**inputs.to(model.device, dtype=model.dtype), logits_to_keep=1).logits[:, -1].float()
        return (logits_BV[:, yes] - logits_BV[:, no]).tolist()

    def score(pairs: Sequence[ClipPair]) -> list[float]:
        starts = range(0, len(pairs), config.batch_size)
        return [found for start in starts for found in of_batch(pairs[start : start + config.batch_size])]

    return score


def _by_vllm(config: Config) -> Score:
    """Return what scores pairs by the log-probabilities of the first token that would be written."""
    from cvr_data.modifications.engines.vllm_engine import first_token, vllm_engine

    assert config.model is not None
    model = vllm_engine(config.model, config.dtype, limit_mm_per_prompt={"image": 2 * config.frames})
    tokenizer = model.get_tokenizer()
    yes, no = _token_ids(tokenizer, config)
    asked = first_token((yes, no))

    def score(pairs: Sequence[ClipPair]) -> list[float]:
        prompts = [
            {
                "prompt": tokenizer.apply_chat_template(
                    _question(pair, config.instruction), tokenize=False, add_generation_prompt=True
                ),
                "multi_modal_data": {"image": _pictures(pair)},
            }
            for pair in pairs
        ]
        found = []
        for answer in model.generate(prompts, asked, use_tqdm=False):
            told = answer.outputs[0].logprobs[0]
            found.append(told[yes].logprob - told[no].logprob)
        return found

    return score


def _token_ids(tokenizer: Any, config: Config) -> tuple[int, int]:
    """The tokens that the two words begin with. Raises CvrError: they are one, which tells nothing."""
    yes, no = (tokenizer.encode(word, add_special_tokens=False)[0] for word in (config.yes, config.no))
    if yes == no:
        raise CvrError(f"{config.model}: {config.yes!r} and {config.no!r} begin with one token; choose others.")
    return yes, no
