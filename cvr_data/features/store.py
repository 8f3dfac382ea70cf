"""The feature store: frame, token and pooled features of an embeddings artifact, by id, memory-mapped.

    store = FeatureStore.open(Path("embeddings"))          # the space that `cvr fit-heads` learned
    store.pooled(["video7"])                               # (1, 128), unit length
    FeatureStore.open(Path("embeddings"), space="raw")     # what the networks gave

Each part has `part-N.parquet` (item_id, kind, row_start, row_count, ...), `part-N.npy` (its rows, ragged) and
`pooled-N.npy` (one row per item). A text's item_id is `text_id(text)`, so equal texts are stored once.
"""

# Shapes: B items, T frames, L tokens, N rows, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.features.heads import Heads, load_heads
from cvr_data.features.protocol import TextFeatures, VideoFeatures, pad_rows
from cvr_data.features.stored_ids import STAGE
from cvr_data.tables import text_id

HEADS_FOLDER = "heads"
CHUNK = 1024
"""Items whose rows are held in memory at once while they are pooled."""
EMBEDDINGS = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("row_start", pa.int64(), nullable=False),
        pa.field("row_count", pa.int32(), nullable=False),
        ("sha256", pa.string()),
        ("perceptual_hash", pa.string()),
    ]
)
"""The id table beside the arrays; sha256 is of a text, perceptual_hash of a video's frames."""

Space = Literal["shared", "raw"]


@dataclass(frozen=True)
class Place:
    """Where an item's rows lie."""

    part: int
    item: int
    row_start: int
    row_count: int


UNKNOWN_ENCODER = "imported"
"""What imported features are said to be made by where nobody says it."""


class FeatureStore:
    """Features of videos and texts, read when they are asked for; raw ones go through the heads on the way."""

    def __init__(self, artifact: Artifact, heads: Heads | None):
        self.artifact = artifact
        self.heads = heads
        self.dim = heads.dim if heads else artifact.manifest["dim"]
        self.text_dim = heads.dim if heads else artifact.manifest["text_dim"]
        self._places: dict[str, dict[str, Place]] = {"video": {}, "text": {}}
        self._hashes: dict[str, str] = {}
        self._parts = artifact.part_paths
        for part, path in enumerate(self._parts):
            self._read_ids(part, path)
        self._arrays: dict[str, np.ndarray] = {}

    @classmethod
    def open(cls, path: Path | str, space: Space = "shared") -> "FeatureStore":
        """Return the store of an embeddings folder.

        Raises:
            CvrError: not an embeddings artifact, or no heads were fitted and its spaces are two.
        """
        artifact = open_artifact(path, STAGE)
        folder = artifact.path / HEADS_FOLDER
        # Imported videos may come without a text; the encoder that made them then tells how wide texts are.
        knows_texts = artifact.manifest["text_dim"] or artifact.manifest["config"]["encoder"] == UNKNOWN_ENCODER
        is_one_space = not knows_texts or artifact.manifest["dim"] == artifact.manifest["text_dim"]
        if space == "raw" or (is_one_space and not folder.exists()):
            return cls(artifact, None)
        if not folder.exists():
            raise CvrError(f"{path} has videos and texts in two spaces; run: cvr fit-heads {path}")
        return cls(artifact, load_heads(folder, embeddings_key=artifact.key))

    @property
    def video_ids(self) -> list[str]:
        """The ids of all videos, in the order of the parts."""
        return list(self._places["video"])

    @property
    def encoder(self) -> dict[str, Any]:
        """Name and options of the encoder that made the features."""
        return {"name": self.artifact.manifest["config"]["encoder"], **self.artifact.manifest["config"]["options"]}

    def has_video(self, video_id: str) -> bool:
        """Return whether the video's features are stored."""
        return video_id in self._places["video"]

    def has_text(self, text: str) -> bool:
        """Return whether the text's features are stored."""
        return text_id(text) in self._places["text"]

    def frames(self, video_ids: Sequence[str]) -> VideoFeatures:
        """Return the frame embeddings of the videos, in the order asked for.

        Raises:
            CvrError: an id is not stored.
        """
        features = VideoFeatures(*pad_rows(self._rows("video", video_ids)))
        return self.heads.videos(features) if self.heads else features

    def frame_tokens(self, video_ids: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return every token of each frame, (B, T, P, D) float32 padded with zeros, and the (B, T) mask of frames.

        Raises:
            CvrError: an id is not stored, or the folder was made without --all-tokens.
        """
        if "frame_token_dim" not in self.artifact.manifest:
            raise CvrError(f"{self.artifact.path} has no frame tokens; make it with: cvr embed --all-tokens")
        return pad_rows(self._rows("video", video_ids, "tokens"))

    def pooled(self, video_ids: Sequence[str]) -> Tensor:
        """Return (B, D) float32, the mean over frames of each video, unit length.

        Raises:
            CvrError: an id is not stored.
        """
        if self.heads is None:
            return F.normalize(self._pooled("video", video_ids), dim=-1)
        chunks = [video_ids[start : start + CHUNK] for start in range(0, len(video_ids), CHUNK)]
        pooled = [self.frames(chunk).pooled_BD() for chunk in chunks]
        return torch.cat(pooled) if pooled else torch.empty(0, self.dim)

    def texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return token and pooled embeddings of the texts, in the order asked for.

        Raises:
            CvrError: a text is not stored.
        """
        missing = [text for text in texts if not self.has_text(text)]
        if missing:
            raise CvrError(f"{self.artifact.path} has no features of {first_few(map(repr, missing))}.")
        ids = [text_id(text) for text in texts]
        tokens_BLD, mask_BL = pad_rows(self._rows("text", ids))
        raw = TextFeatures(tokens_BLD, mask_BL, F.normalize(self._pooled("text", ids), dim=-1))
        return self.project_texts(raw)

    def project_texts(self, raw: TextFeatures) -> TextFeatures:
        """Return raw text features in the space of this store."""
        return self.heads.texts(raw) if self.heads else raw

    def perceptual_hashes(self, video_ids: Sequence[str]) -> list[str]:
        """Return each video's hash of its sampled frames; empty where none was taken."""
        self._check("video", video_ids)
        return [self._hashes.get(video_id, "") for video_id in video_ids]

    def _rows(self, kind: str, ids: Sequence[str], array: str = "part") -> list[Tensor]:
        return [
            torch.from_numpy(
                np.array(self._array(array, place.part)[place.row_start : place.row_start + place.row_count])
            )
            for place in self._found(kind, ids)
        ]

    def _pooled(self, kind: str, ids: Sequence[str]) -> Tensor:
        places = self._found(kind, ids)
        width = self.artifact.manifest["dim" if kind == "video" else "text_dim"]
        pooled = np.empty((len(places), width), np.float32)
        parts = np.array([place.part for place in places])
        items = np.array([place.item for place in places])
        for part in np.unique(parts):
            pooled[parts == part] = self._array("pooled", int(part))[items[parts == part]]
        return torch.from_numpy(pooled)

    def _found(self, kind: str, ids: Sequence[str]) -> list[Place]:
        self._check(kind, ids)
        places = self._places[kind]
        return [places[item_id] for item_id in ids]

    def _check(self, kind: str, ids: Sequence[str]) -> None:
        missing = [item_id for item_id in ids if item_id not in self._places[kind]]
        if missing:
            raise CvrError(f"{self.artifact.path} has no features of the {kind}s {first_few(missing)}.")

    def _array(self, name: str, part: int) -> np.ndarray:
        path = self._parts[part]
        file = path.with_name(path.stem.replace("part", name, 1) + ".npy")
        if file.name not in self._arrays:
            if not file.exists():
                raise CvrError(f"{file} is missing; run the command in the manifest of {self.artifact.path} again.")
            self._arrays[file.name] = np.load(file, mmap_mode="r", allow_pickle=False)
        return self._arrays[file.name]

    def _read_ids(self, part: int, path: Path) -> None:
        table = check_columns(pq.read_table(path), EMBEDDINGS, str(path))
        names = ("item_id", "kind", "row_start", "row_count", "perceptual_hash")
        columns = (table.column(name).to_pylist() for name in names)
        for item, (item_id, kind, start, count, perceptual_hash) in enumerate(zip(*columns, strict=True)):
            self._places[kind][item_id] = Place(part, item, start, count)
            if perceptual_hash:
                self._hashes[item_id] = perceptual_hash
