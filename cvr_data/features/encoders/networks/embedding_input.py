"""What a multimodal embedder is given of one item, all in one input: a text, frames, sound, or several of them."""

# Shapes: T frames, H height, W width, C colours, N samples.

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from torch import Tensor

from cvr_data.media.clip import Clip
from cvr_data.media.video import Frames

Side = Literal["query", "document"]
"""What asks, or what is ranked: a model may be told another instruction for each."""


@dataclass(frozen=True)
class EmbeddingInput:
    """One item."""

    text: str | None = None
    frames: Frames | None = None
    """The frames that were taken of its video, with their numbers."""
    clip: Clip | None = None
    """Where the video is, for a model that takes frames itself."""
    sound_N: np.ndarray | None = None
    """float32, -1 to 1; None where it has none, or none is wanted."""
    order: tuple[int, ...] | None = None
    """For a model that takes frames itself: all that it may take, in the order in which they are shown to it."""

    @property
    def pixels(self) -> np.ndarray:
        """Return the frames that were taken, uint8 (T, H, W, 3)."""
        assert self.frames is not None
        return self.frames.pixels

    @property
    def metadata(self) -> dict[str, Any]:
        """Return when the frames are shown, as `VideoMetadata` of transformers has it."""
        assert self.frames is not None
        total, fps = self.frames.total, self.frames.fps or None
        duration = total / fps if fps else None
        return {"total_num_frames": total, "fps": fps, "duration": duration, "frames_indices": [*self.frames.places]}


class EmbeddingModel(Protocol):
    """A model of one of the contracts: `encode` of sentence-transformers, of MTEB 2, or of a server."""

    dim: int
    takes_texts: bool
    """Whether it embeds texts too, and videos with a text."""
    takes_frames: bool
    """Whether it chooses the frames of a clip itself."""

    def encode(self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None) -> Tensor:
        """Return (items, D) float32; `prompt` is the instruction, None the model's own for that side."""


def embedder_item_in_order(item: EmbeddingInput, order: Sequence[int], takes_frames: bool) -> EmbeddingInput:
    """Return an item whose frames are those of `order`; times stay with the places, so that a film runs backwards."""
    if takes_frames:
        return replace(item, order=tuple(order))
    assert item.frames is not None
    frames = item.frames
    places = frames.places if len(order) == len(frames.places) else tuple(frames.places[number] for number in order)
    return replace(item, frames=replace(frames, pixels=frames.pixels[list(order)], places=places))


def embedder_frames_to_order(item: EmbeddingInput, takes_frames: bool) -> int:
    """Return how many frames `embedder_item_in_order` may put in another order."""
    if item.frames is None:
        return 0
    return item.frames.total if takes_frames else len(item.frames.places)
