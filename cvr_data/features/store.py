"""The feature store: frame, token and pooled features of an embeddings artifact, by id, memory-mapped.

    store = FeatureStore.open(Path("embeddings"))          # the space that `cvr fit-heads` learned
    store.pooled(["video7"])                               # (1, 128), unit length
    FeatureStore.open(Path("embeddings"), space="raw")     # what the networks gave

Each part has `part-N.parquet` (item_id, kind, row_start, row_count, ...), `part-N.npy` (its rows, ragged) and
`pooled-N.npy` (one row per item). A text's item_id is `text_id(text)`, so equal texts are stored once.
"""

# Shapes: B items, T frames, L tokens, N rows, D embedding.

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.feature_spaces import HEADS_FOLDER, lie_in_two_spaces
from cvr_data.core.feature_spaces import UNKNOWN_ENCODER as UNKNOWN_ENCODER
from cvr_data.core.places import local_file_of_address
from cvr_data.core.reading import check_json_value_types, read_array, reading
from cvr_data.core.whole_files import read_parquet
from cvr_data.features.heads import WEIGHTS as HEADS_WEIGHTS
from cvr_data.features.heads import Heads, load_heads
from cvr_data.features.index import STAGE, ItemIndex
from cvr_data.features.protocol import TextFeatures, VideoFeatures, pad_features
from cvr_data.tables import text_id

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
        ("media_note", pa.string()),
        ("length", pa.float32()),
    ]
)
"""The id table beside the arrays; sha256 is of a text, perceptual_hash of a video's frames, media_note of its file,
length of a text's own feature before its pooled row was brought to unit length; null in older artifacts."""

_COLUMNS = pa.schema(
    [
        *(
            EMBEDDINGS.field(name)
            for name in ("item_id", "kind", "row_start", "row_count", "perceptual_hash", "length")
        ),
        ("part", pa.int32()),
        ("item", pa.int32()),
    ]
)
Space = Literal["shared", "raw"]

WIDTHS = {"dim": int, "text_dim": int, "config": {"encoder": str, "options": dict}}
"""What the manifest of an embeddings folder says beside the usual, and of which type."""


class FeatureStore:
    """Features of videos and texts, read when they are asked for; raw ones go through the heads on the way."""

    def __init__(self, artifact: Artifact, heads: Heads | None):
        self.artifact = artifact
        self.heads = heads
        self._parts = artifact.part_paths
        tables = [_read_ids(number, path) for number, path in enumerate(self._parts)]
        table = pa.concat_tables(tables) if tables else _COLUMNS.empty_table()
        self._index = {
            kind: ItemIndex.of(table.filter(pc.equal(table.column("kind"), kind)).drop_columns("kind"))
            for kind in ("video", "text")
        }
        self._arrays: dict[str, np.ndarray] = {}

    @classmethod
    def open(cls, path: Path | str, space: Space = "shared") -> "FeatureStore":
        """Return the store of an embeddings folder.

        Raises:
            CvrError: not an embeddings artifact, or no heads were fitted and its spaces are two.
        """
        artifact = open_artifact(path, STAGE)
        with reading(artifact.path / MANIFEST, "the manifest of features"):
            check_json_value_types(artifact.manifest, WIDTHS)
        store = cls(artifact, None)
        return store if space == "raw" else store.shared()

    def raw(self) -> "FeatureStore":
        """Return the same features as the networks gave them; index and open arrays are shared."""
        return self._in_space_of(None)

    def shared(self) -> "FeatureStore":
        """Return the same features in the space that `cvr fit-heads` learned, or as they are if it is one already.

        Raises:
            CvrError: no heads were fitted, and videos and texts lie in two spaces.
        """
        folder = self.artifact.path / HEADS_FOLDER
        if folder.exists():
            return self._in_space_of(load_heads(folder, embeddings_key=self.artifact.key))
        if lie_in_two_spaces(self.artifact):
            raise CvrError(two_spaces(self.artifact.path))
        return self

    @property
    def has_two_spaces(self) -> bool:
        """Whether videos and texts lie in two spaces, and no heads were fitted."""
        return lie_in_two_spaces(self.artifact)

    def _in_space_of(self, heads: Heads | None) -> "FeatureStore":
        store = copy.copy(self)
        store.heads = heads
        return store

    @property
    def dim(self) -> int:
        """Width of a frame's embedding."""
        return self.heads.dim if self.heads else self.artifact.manifest["dim"]

    @property
    def text_dim(self) -> int:
        """Width of a token's embedding; 0 where videos were imported without the encoder of texts."""
        return self.heads.dim if self.heads else self.artifact.manifest["text_dim"]

    @property
    def video_ids(self) -> list[str]:
        """The ids of all videos, in the order of the parts."""
        return self._index["video"].ids

    @property
    def encoder(self) -> dict[str, Any]:
        """Name and options of the encoder that made the features."""
        return {"name": self.artifact.manifest["config"]["encoder"], **self.artifact.manifest["config"]["options"]}

    @property
    def unit_frames(self) -> bool | None:
        """Whether frames were brought to unit length; None where nobody says: imported ones, and those of heads."""
        return None if self.heads or self.is_imported else self.encoder.get("normalise")

    @property
    def is_imported(self) -> bool:
        """Whether others made the features, so that the options of the encoder tell of texts alone."""
        return self.artifact.stage == f"{STAGE}-import"

    def frame_counts(self, video_ids: Sequence[str]) -> np.ndarray:
        """Return (B,) int64, how many frames of each video are stored. Raises CvrError: an id is not stored."""
        return self._places("video", video_ids).column("row_count").to_numpy()

    def space(self) -> dict[str, Any]:
        """Return what names the space of these features: the encoder, its weights, how frames were taken, the heads.

        The weights are a hash where `cvr embed` took one: then it does not matter where they lay. How many frames were
        taken is no part of it.
        """
        encoder, weights = dict(self.encoder), self.artifact.manifest.get("weights_sha256")
        encoder.pop("frames", None)
        if weights is not None:
            encoder["model"] = weights
        heads = self.artifact.path / HEADS_FOLDER / HEADS_WEIGHTS
        digest = hashlib.sha256(heads.read_bytes()).hexdigest() if self.heads is not None else None
        return {**encoder, "heads": digest}

    def has_videos(self, video_ids: Sequence[str]) -> np.ndarray:
        """Return (B,) bool, whether the features of each video are stored."""
        return self._index["video"].find(video_ids) >= 0

    def has_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return (B,) bool, whether the features of each text are stored."""
        return self._index["text"].find([text_id(text) for text in texts]) >= 0

    def frames(self, video_ids: Sequence[str]) -> VideoFeatures:
        """Return the frame embeddings of the videos, in the order asked for. Raises CvrError: an id is not stored."""
        features = VideoFeatures(*pad_features(self._rows(self._places("video", video_ids))))
        return self.heads.videos(features) if self.heads else features

    def frame_tokens(self, video_ids: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return every token of each frame, (B, T, P, D) float32 padded with zeros, and the (B, T) mask of frames.

        Tokens as wide as what the head of frames reads go through it: averages over parts of a frame are like frames.

        Raises:
            CvrError: an id is not stored, or the folder was made without --all-tokens.
        """
        if "frame_token_dim" not in self.artifact.manifest:
            raise CvrError(f"{self.artifact.path} has no frame tokens; make it with: cvr embed --all-tokens")
        tokens_BTPD, mask_BT = pad_features(self._rows(self._places("video", video_ids), "tokens"))
        return self.project_frame_tokens(tokens_BTPD) * mask_BT[..., None, None], mask_BT

    def project_frame_tokens(self, raw_BTPD: Tensor) -> Tensor:
        """Return raw tokens of frames as this store gives its own."""
        if self.heads is None or raw_BTPD.shape[-1] != self.heads.frame_head.linear.in_features:
            return raw_BTPD
        return self.heads.frames(raw_BTPD)

    def pooled(self, video_ids: Sequence[str]) -> Tensor:
        """Return (B, D) float32, the mean over frames of each video, unit length.

        Raises:
            CvrError: an id is not stored.
        """
        if self.heads is None:
            return F.normalize(self._pooled(self._places("video", video_ids), "dim"), dim=-1)
        chunks = [video_ids[start : start + CHUNK] for start in range(0, len(video_ids), CHUNK)]
        pooled = [self.frames(chunk).pooled_BD() for chunk in chunks]
        return torch.cat(pooled) if pooled else torch.empty(0, self.dim)

    def texts(self, texts: Sequence[str]) -> TextFeatures:
        """Return token and pooled embeddings of the texts, in the order asked for.

        Raises:
            CvrError: a text is not stored.
        """
        found_B = self._index["text"].find([text_id(text) for text in texts])
        if missing := [text for text, row in zip(texts, found_B, strict=True) if row < 0]:
            raise CvrError(f"{self.artifact.path} has no features of {first_few(map(repr, missing))}.")
        places = self._index["text"].columns.take(found_B)
        tokens_BLD, mask_BL = pad_features(self._rows(places))
        pooled_BD = F.normalize(self._pooled(places, "text_dim"), dim=-1)
        length_B = torch.from_numpy(places.column("length").to_numpy().astype(np.float32))  # null is NaN
        return self.project_texts(TextFeatures(tokens_BLD, mask_BL, pooled_BD, length_B))

    def project_texts(self, raw: TextFeatures) -> TextFeatures:
        """Return raw text features in the space of this store."""
        return self.heads.texts(raw) if self.heads else raw

    def perceptual_hashes(self, video_ids: Sequence[str]) -> list[str]:
        """Return each video's hash of its sampled frames; empty where none was taken."""
        return [found or "" for found in self._places("video", video_ids).column("perceptual_hash").to_pylist()]

    def _places(self, kind: str, ids: Sequence[str]) -> pa.Table:
        """The index rows of some ids."""
        found_B = self._index[kind].find(ids)
        if missing := [item_id for item_id, row in zip(ids, found_B, strict=True) if row < 0]:
            raise CvrError(f"{self.artifact.path} has no features of the {kind}s {first_few(missing)}.")
        return self._index[kind].columns.take(found_B)

    def _rows(self, places: pa.Table, array: str = "part") -> list[Tensor]:
        columns = (places.column(name).to_pylist() for name in ("part", "row_start", "row_count"))
        return [
            torch.from_numpy(np.array(self._array(array, part, start + count)[start : start + count]))
            for part, start, count in zip(*columns, strict=True)
        ]

    def _pooled(self, places: pa.Table, width: str) -> Tensor:
        pooled = np.empty((places.num_rows, self.artifact.manifest[width]), np.float32)
        parts, items = (places.column(name).to_numpy() for name in ("part", "item"))
        for part in np.unique(parts):
            of_part = items[parts == part]
            pooled[parts == part] = self._array("pooled", int(part), int(of_part.max()) + 1)[of_part]
        return torch.from_numpy(pooled)

    def _array(self, name: str, part: int, rows: int) -> np.ndarray:
        """An array of a part that has so many rows at least."""
        path = self._parts[part]
        file = path.with_name(path.stem.replace("part", name, 1) + ".npy")
        if file.name not in self._arrays:
            self._arrays[file.name] = self._read_array(file)
        if len(self._arrays[file.name]) < rows:
            raise CvrError(
                f"{file} has {len(self._arrays[file.name])} rows, its table names row {rows}; make it again."
            )
        return self._arrays[file.name]

    def _read_array(self, file: Path) -> np.ndarray:
        """The rows of a file, as wide as the manifest says."""
        with (
            reading(file, "an .npy file"),
            local_file_of_address(file) as here,
        ):  # what is mapped stays, though a copy goes
            array, manifest = read_array(here), self.artifact.manifest
        widths = {manifest[key] for key in ("dim", "text_dim", "frame_token_dim") if key in manifest}
        if array.ndim < 2 or array.shape[-1] not in widths:
            wide = " or ".join(map(str, sorted(widths)))
            raise CvrError(f"{file} has the shape {array.shape}, where rows should be {wide} wide; make it again.")
        return array


def two_spaces(embeddings: Path) -> str:
    """Return what to do where videos cannot be compared with texts."""
    return (
        f"{embeddings} has videos and texts in two spaces; learn one (cvr fit-heads {embeddings} --videos "
        f"videos-split), take that of a larger corpus (cvr fit-heads {embeddings} --from OTHER), or embed with an "
        "encoder that has one (cvr embed VIDEOS --encoder clip)."
    )


def _read_ids(part: int, path: Path) -> pa.Table:
    """The id table of a part, with its number and the place of each item in it."""
    table = check_columns(read_parquet(path), EMBEDDINGS, str(path)).drop_columns("sha256")
    table = table.append_column("part", pa.repeat(pa.scalar(part, pa.int32()), table.num_rows))
    return table.append_column("item", pa.array(np.arange(table.num_rows, dtype=np.int32))).select(_COLUMNS.names)
