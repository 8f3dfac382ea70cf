"""Multimodal models of sentence-transformers (5.4 and above): `encode_query` and `encode_document` of whole items."""

# Shapes: B items, T frames, C colours, H height, W width, D embedding.

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cvr_data.core.errors import CvrError, first_line
from cvr_data.features.encoders.networks.checkpoints import loading_encoder
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput, Side

SAMPLED = {"video": {"do_sample_frames": False}, "text": {"truncation": False}}
"""What processors are told: frames are sampled already, and a text that is cut would lose the places of frames."""


class SentenceModel:
    """A SentenceTransformer that takes films, or several pictures in one input.

    Args:
        model: of the library, in evaluation mode.
        where: what to call it in an error.
        dim: Matryoshka width; None is the model's own.
        batch_size: items at once, halved for as long as the memory is too small.
        hz: samples of sound a second.
    """

    takes_texts, takes_frames = True, False

    def __init__(self, model: Any, where: str, *, dim: int | None, batch_size: int, hz: int):
        self.model, self.where, self.width, self.batch_size, self.hz = model, where, dim, batch_size, hz
        check_embedder_modalities(model, where)
        own = int(model.get_embedding_dimension())
        if dim is not None and dim > own:
            raise CvrError(f"{where} gives embeddings of {own}; dim={dim} is more.")
        self.dim = dim or own

    def encode(self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None) -> Tensor:
        """Return (B, D) float32, as the library gives them.

        Raises:
            CvrError: the model does not take such items.
        """
        from accelerate.utils import find_executable_batch_size

        inputs = [sentence_input(self.model, item, self.hz) for item in items]
        encode = self.model.encode_query if side == "query" else self.model.encode_document
        sampled = {"processing_kwargs": SAMPLED} if any(item.frames is not None for item in items) else {}

        def halved() -> int:
            self.batch_size //= 2
            return self.batch_size

        @find_executable_batch_size(starting_batch_size=self.batch_size, reduce_batch_size_fn=halved)
        def encoded(batch_size: int) -> Tensor:
            return encode(
                inputs, prompt=prompt, batch_size=batch_size, truncate_dim=self.width, convert_to_tensor=True,
                show_progress_bar=False, **sampled,
            )  # fmt: skip

        try:
            return encoded().float().cpu()
        except (ValueError, TypeError, KeyError, ImportError) as error:
            raise CvrError(f"{self.where} does not embed such items ({first_line(error)}).") from None


def sentence_input(model: Any, item: EmbeddingInput, hz: int) -> str | dict[str, Any]:
    """Return an item as the library takes it, in the order text, pictures, sound, as MTEB gives it.

    Frames are a film where the model takes films, one alone is a picture where it takes those, else they are several
    pictures.
    """
    found: dict[str, Any] = {} if item.text is None else {"text": item.text}
    if item.frames is not None:
        takes_films = model.supports("video")
        if len(item.pixels) == 1 and model.supports("image"):
            found["image"] = _pictures(item)[0]
        elif takes_films:
            frames_TCHW = torch.from_numpy(item.pixels).permute(0, 3, 1, 2)
            if len(frames_TCHW) == 1:  # networks that join frames two by two take no single one
                frames_TCHW = frames_TCHW.repeat(2, 1, 1, 1)
            found["video"] = {"array": frames_TCHW, "video_metadata": _repeated(item.metadata, len(frames_TCHW))}
        else:
            found["image"] = _pictures(item)
    if item.sound_N is not None:
        found["audio"] = {"array": item.sound_N, "sampling_rate": hz}
    return item.text or "" if set(found) <= {"text"} else found


def check_embedder_modalities(model: Any, where: str) -> None:
    """Refuse a model that can look at no video. Raises CvrError: it takes neither films nor pictures with a text."""
    if not model.supports("video") and not (model.supports("image") and model.supports("message")):
        raise CvrError(
            f"{where} takes no videos, only {', '.join(map(str, model.modalities))}; frames of one that takes "
            "images are embedded one by one by --encoder mteb."
        )


def _pictures(item: EmbeddingInput) -> list[Any]:
    from PIL import Image

    return [Image.fromarray(frame_HWC) for frame_HWC in item.pixels]


def _repeated(metadata: dict[str, Any], count: int) -> dict[str, Any]:
    places = metadata["frames_indices"]
    return {**metadata, "frames_indices": places if len(places) == count else places * count}


def load_sentence_model(model: str, revision: str | None, device: torch.device, dtype: torch.dtype) -> Any:
    """Return a model of the library, its weights of the type asked for, in evaluation mode.

    Raises:
        CvrError: nothing is there, it cannot be reached, or a library that it needs is not installed.
    """
    from sentence_transformers import SentenceTransformer

    what = f"{model}: neither a folder of sentence-transformers nor a reachable model that this installation can load"
    with loading_encoder(what, OSError, ValueError, RuntimeError, ImportError):
        return SentenceTransformer(
            model, revision=revision, device=str(device), local_files_only=Path(model).is_dir(),
            trust_remote_code=False, model_kwargs={"dtype": dtype},
        ).eval()  # fmt: skip
