"""Batched decoding with a vision-language model of transformers: frames first, then the text of the last message.

What is sampled depends on the batch; what makes a run repeatable is the request cache.
"""

# Shapes: B requests of a batch, L padded prompt tokens, M prompt and written tokens.

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.utils import logging as transformers_logging

from cvr_data.core.device import DtypeName, torch_device_in_words, torch_device_of, torch_dtype_of
from cvr_data.core.errors import CvrError, first_line
from cvr_data.modifications.asking.choices import ChoiceTokens
from cvr_data.modifications.asking.request import Answer, Request, Thinking, thinking_settings
from cvr_data.modifications.engines.picker import weighed_logits

_BATCH = 4
"""Requests at once: each brings several frames."""

logger = logging.getLogger(__name__)


@dataclass
class ImageTextLM:
    """A loaded model with its processor."""

    model: Any
    processor: Any
    batch: int
    thinking: Thinking = "model"

    @classmethod
    def load(
        cls, name: str | Path, *, dtype: DtypeName, device: str, batch: int, thinking: Thinking = "model"
    ) -> "ImageTextLM":
        """Return the model of a folder or Hub id, ready to write.

        Raises:
            CvrError: there is no such model, it shows no images, or its processor lacks a library.
        """
        transformers_logging.disable_progress_bar()
        chosen = torch_device_of(device)
        try:
            processor = AutoProcessor.from_pretrained(name, trust_remote_code=False)
            if getattr(processor, "image_processor", None) is None or not processor.chat_template:
                raise CvrError(f"The model {str(name)!r} takes no images in a chat; name a vision-language chat model.")
            model: Any = AutoModelForImageTextToText.from_pretrained(
                name, dtype=torch_dtype_of(dtype, chosen), trust_remote_code=False
            )
        except (OSError, ValueError, ImportError) as error:
            raise CvrError(f"Cannot load the vision-language model {str(name)!r}: {first_line(error)}") from None
        processor.tokenizer.padding_side = "left"
        logger.info("Loaded %s on %s", name, torch_device_in_words(chosen, model.dtype))
        return cls(model.to(chosen).eval(), processor, min(batch, _BATCH), thinking)

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (position, answer) of requests with equal parameters, those with fewest images first."""
        order = sorted(range(len(requests)), key=lambda number: len(requests[number].images))
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            yield from zip(chosen, self._write_batch([requests[number] for number in chosen]), strict=True)

    @torch.inference_mode()
    def _write_batch(self, requests: Sequence[Request]) -> list[Answer]:
        prompts = [self._prompt(request) for request in requests]
        images = [[_decoded_prompt_image(image) for image in request.images] for request in requests]
        inputs = self.processor(text=prompts, images=images, padding=True, return_tensors="pt")
        # Pixels come in float32; token numbers stay whole numbers.
        inputs = inputs.to(self.model.device, dtype=self.model.dtype)
        if choices := requests[0].choices:
            logits_BV = self.model(**inputs, logits_to_keep=1).logits[:, -1]
            return weighed_logits(logits_BV, self._choices.of(choices))
        asked = requests[0].parameters
        sampling = {"do_sample": True, "temperature": asked.temperature, "top_k": asked.top_k or None}
        with torch.random.fork_rng():
            torch.manual_seed(asked.seed)
            tokens_BM = self.model.generate(
                **inputs,
                max_new_tokens=asked.max_tokens,
                pad_token_id=self.processor.tokenizer.pad_token_id,
                **(sampling if asked.temperature else {"do_sample": False}),
            )
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        written = [self._ended(row) for row in tokens_BM[:, inputs["input_ids"].shape[1] :].tolist()]
        texts = self.processor.batch_decode(written, skip_special_tokens=True)
        return [
            Answer(text=text, tokens_in=asked_tokens, tokens_out=len(tokens), is_cut=len(tokens) >= asked.max_tokens)
            for text, asked_tokens, tokens in zip(texts, prompt_tokens, written, strict=True)
        ]

    @cached_property
    def _choices(self) -> ChoiceTokens:
        return ChoiceTokens(lambda text: self.processor.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _prompt(self, request: Request) -> str:
        messages: list[dict[str, Any]] = [
            {"role": message.role, "content": [{"type": "text", "text": message.content}]}
            for message in request.messages
            if message.content
        ]
        messages[-1]["content"] = [*({"type": "image"} for _ in request.images), *messages[-1]["content"]]
        return self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **thinking_settings(self.thinking)
        )

    def _ended(self, tokens: list[int]) -> list[int]:
        """Return the tokens before the first that ends a text."""
        configured = self.model.generation_config.eos_token_id
        found = configured if isinstance(configured, list) else [configured]
        ends = {self.processor.tokenizer.eos_token_id, self.processor.tokenizer.pad_token_id, *found}
        return tokens[: next((place for place, token in enumerate(tokens) if token in ends), len(tokens))]


def _decoded_prompt_image(image: bytes) -> Image.Image:
    with Image.open(io.BytesIO(image)) as opened:
        return opened.convert("RGB")
