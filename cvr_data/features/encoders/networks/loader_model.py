"""Models with MTEB 2's contract: `encode(DataLoader, task_metadata=..., hf_split=..., hf_subset=..., prompt_type=...)`.

A batch has a column per modality. A video in it is what torchcodec's `VideoDecoder` is to MTEB's collators, so that a
model's own collator takes the frames, as many and as it likes.

Source: `EncoderProtocol` of mteb (https://github.com/embeddings-benchmark/mteb, models/models_protocols.py).
"""

# Shapes: N frames, C colours, H height, W width, D embedding.

import importlib.util
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvr_data.core.errors import CvrError, first_line
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput, Side
from cvr_data.media.clip import Clip
from cvr_data.media.timeline import AT
from cvr_data.media.video import read_frames, read_frames_and_note, write_mp4

logger = logging.getLogger(__name__)


class LoaderModel:
    """A model that is given a DataLoader.

    Args:
        model: with the `encode` of MTEB 2.
        where: what to call it in an error.
        dim: Matryoshka width: the first so many numbers; None is all.
        batch_size: items at once.
        hz: samples of sound a second.
    """

    takes_frames = True

    def __init__(self, model: Any, where: str, *, dim: int | None, batch_size: int, hz: int):
        self.model, self.where, self.width, self.batch_size, self.hz = model, where, dim, batch_size, hz
        self.takes_texts = True
        self.dim = self._probed_width()

    def encode(self, items: Sequence[EmbeddingInput], side: Side, prompt: str | None) -> Tensor:
        """Return (items, D) float32.

        Raises:
            CvrError: the model does not take such items, or gives something else than a row for each.
        """
        if not self.takes_texts and any(item.text is not None for item in items):
            raise CvrError(f"{self.where} embeds videos only, no texts.")
        rows = [self._row(item) for item in items]
        found: dict[int, Tensor] = {}
        for names in dict.fromkeys(tuple(row) for row in rows):  # a batch has a column in each row or in none
            those = [number for number, row in enumerate(rows) if tuple(row) == names]
            found |= zip(those, self._encode([rows[number] for number in those], side, prompt), strict=True)
        return torch.stack([found[number] for number in range(len(rows))])[:, : self.width]

    def _encode(self, rows: Sequence[dict[str, Any]], side: Side, prompt: str | None) -> Tensor:
        from torch.utils.data import DataLoader

        loader: Any = DataLoader(_Rows(rows), batch_size=self.batch_size, collate_fn=_columns)
        metadata = encoder_task_metadata(list(rows[0]), {side: prompt} if prompt else None)
        asked = {"hf_split": "test", "hf_subset": "default", "prompt_type": _prompt_type(side)}
        try:
            with torch.no_grad():
                found = self.model.encode(
                    loader, task_metadata=metadata, **asked, batch_size=self.batch_size, show_progress_bar=False
                )
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, ImportError) as error:
            raise CvrError(f"{self.where} does not embed such items ({first_line(error)}).") from None
        try:
            features = torch.as_tensor(found).to_dense().float().cpu()
        except (TypeError, ValueError, RuntimeError):  # as of a list with a matrix for each item
            features = torch.empty(0)
        if features.ndim != 2 or len(features) != len(rows):
            raise CvrError(
                f"{self.where} gave no single vector for each of {len(rows)} items, but perhaps one per token."
            )
        return features

    def _probed_width(self) -> int:
        """The width of an embedding; whether the model takes texts comes out, too.

        Raises:
            CvrError: it embeds neither a text nor a film.
        """
        try:
            return self.encode([EmbeddingInput("a video")], "query", None).shape[1]
        except CvrError as error:
            self.takes_texts, said = False, error
        with tempfile.TemporaryDirectory() as folder:
            write_mp4(Path(folder) / "grey.mp4", np.full((16, 64, 64, 3), 128, np.uint8))
            clip = Clip(Path(folder) / "grey.mp4")
            item = EmbeddingInput(None, read_frames_and_note(clip, 1), clip)
            try:
                width = self.encode([item], "document", None).shape[1]
            except CvrError:
                raise said from None
        logger.info("It embeds videos only: %s", said)
        return width

    def _row(self, item: EmbeddingInput) -> dict[str, Any]:
        row: dict[str, Any] = {} if item.text is None else {"text": item.text}
        if item.clip is not None:
            row["video"] = FrameDecoder(item)
        if item.sound_N is not None:
            row["audio"] = {"array": item.sound_N, "sampling_rate": self.hz}
        return row


class FrameDecoder:
    """The frames of a clip by number: the part of torchcodec's `VideoDecoder` that MTEB's collators use."""

    def __init__(self, item: EmbeddingInput):
        assert item.clip is not None and item.frames is not None
        self.clip, frames = item.clip, item.frames
        self.numbers = item.order if item.order is not None else tuple(range(frames.total))
        length_s = frames.total / frames.fps if frames.fps else None
        height, width = frames.pixels.shape[1:3]
        self.metadata = SimpleNamespace(
            num_frames=len(self.numbers), average_fps=frames.fps or None, duration_seconds=length_s,
            begin_stream_seconds=0.0, end_stream_seconds=length_s, height=height, width=width,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key: int | slice) -> Tensor:
        """Return a frame, uint8 (C, H, W), or those of a slice, (N, C, H, W)."""
        if isinstance(key, slice):
            return self.get_frames_at(range(len(self))[key]).data
        return self.get_frames_at([range(len(self))[key]]).data[0]

    def get_frames_at(self, indices: Sequence[int]) -> SimpleNamespace:
        """Return frames by their numbers: `data` is uint8 (N, C, H, W), `pts_seconds` when each is shown."""
        chosen = [self.numbers[int(index)] for index in indices]
        frames = read_frames(self.clip, len(chosen), AT + ",".join(map(str, chosen)))
        fps = self.metadata.average_fps
        times = torch.tensor([int(index) / fps for index in indices]) if fps else None
        return SimpleNamespace(data=torch.from_numpy(frames).permute(0, 3, 1, 2), pts_seconds=times)

    def get_frames_in_range(self, start: int, stop: int, step: int = 1) -> SimpleNamespace:
        """Return the frames from `start` to before `stop`."""
        return self.get_frames_at(range(start, stop, step))


class _Rows(torch.utils.data.Dataset):
    """Rows of the same columns, as a data set of the `datasets` library tells them."""

    def __init__(self, rows: Sequence[dict[str, Any]]):
        self.rows = rows
        self.features = dict.fromkeys(rows[0])
        self.column_names = list(rows[0])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return dict(self.rows[number])  # a collator puts frames in the place of the decoder


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _prompt_type(side: Side) -> Any:
    if importlib.util.find_spec("mteb") is None:
        return side
    from mteb.types import PromptType

    return PromptType(side)


def encoder_task_metadata(modalities: list[str], prompt: dict[str, str] | None) -> Any:
    """Return what a model is told of the task: mteb's `TaskMetadata`, or without mteb those fields that models read."""
    fields: dict[str, Any] = {
        "name": "ComposedVideoRetrieval",
        "description": "Retrieve the video that a modification text turns a reference video into.",
        "reference": None,
        "dataset": {"path": "cvr/local", "revision": "local"},
        "type": "Any2AnyRetrieval",
        "category": "vt2v",
        "modalities": modalities,
        "eval_splits": ["test"],
        "eval_langs": ["eng-Latn"],
        "main_score": "ndcg_at_10",
        "prompt": prompt,
    }
    if importlib.util.find_spec("mteb") is None:
        return SimpleNamespace(**fields, get_modalities=lambda prompt_type=None: modalities)
    from mteb.abstasks.task_metadata import TaskMetadata

    unknown = ("date", "domains", "task_subtypes", "license", "annotations_creators", "dialect", "sample_creation",
               "bibtex_citation")  # fmt: skip
    return TaskMetadata(**fields, **dict.fromkeys(unknown))
