"""Examples to learn modification texts from: two captions, and what a person (or a model) wrote between them.

    {"input": "a dog on a beach", "edit": "make it a cat", "output": "a cat on a beach"}      a line of InstructPix2Pix

A CSV, TSV, JSONL or Parquet file with these columns will do, under any of the names below, and so will a folder of
`cvr generate-modifications`, whose accepted texts are the examples.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.files import column_names, id_text, read_rows
from cvr_data.language.normalise import normalised
from cvr_data.language.words import clean_text
from cvr_data.tables import MODIFICATIONS, PAIRS, content_id

NAMES = {
    "reference_caption": ("reference_caption", "caption", "input", "txt1"),
    "target_caption": ("target_caption", "output", "txt2"),
    "modification": ("modification", "edit"),
}
"""What an example needs -> the names its column may have."""
IDS = {"reference_id": ("reference_id", "pth1"), "target_id": ("target_id", "pth2")}
"""The videos, where they are known."""
EXAMPLES = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("reference_id", pa.string(), nullable=False),
        pa.field("target_id", pa.string(), nullable=False),
        pa.field("reference_caption", pa.string(), nullable=False),
        pa.field("target_caption", pa.string(), nullable=False),
        pa.field("modification", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("used_for", pa.string(), nullable=False),
    ]
)
"""The rows a generator remembers: `used_for` is training or choice."""


@dataclass(frozen=True)
class Example:
    """A pair as the pairs table has it, and the text to learn for it."""

    pair: Mapping[str, Any]
    modification: str
    source: str

    @property
    def example_id(self) -> str:
        """The hash of the three texts."""
        return content_id(self.pair["reference_caption"], self.modification, self.pair["target_caption"])

    def row(self, used_for: str) -> dict[str, Any]:
        """Return the row of the EXAMPLES table."""
        values = {"example_id": self.example_id, "modification": self.modification, "source": self.source}
        known = {name: self.pair[name] for name in EXAMPLES.names if name in self.pair}
        return {**known, **values, "used_for": used_for}


def read_examples(path: Path, splits: Sequence[str]) -> list[Example]:
    """Return the examples of a file, or of a folder of modifications, in order.

    Of pairs that have a split, only those of `splits` are taken: the others are what models are chosen and scored on.

    Raises:
        CvrError: nothing can be learned from it, or a row is not whole.
    """
    found = _from_modifications(open_artifact(path), splits) if path.is_dir() else _from_file(path)
    if not found:
        wanted = f" of split {' or '.join(splits)} with status ok" if path.is_dir() else ""
        raise CvrError(f"{path} has no row{wanted} to learn from.")
    return found


def hold_out_generator_examples(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Return (training, held out): videos are drawn until `share` of the examples show one, and these are held out.

    So no drawn video is trained on. Which ones are drawn depends on the seed and their ids, not on the order.
    """
    of_video: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        for name in IDS:
            of_video.setdefault(example.pair[name], []).append(number)
    held: set[int] = set()
    for video_id in sorted(of_video, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).hexdigest()):
        if len(held | set(of_video[video_id])) > share * len(examples):
            continue
        held.update(of_video[video_id])
    training = [example for number, example in enumerate(examples) if number not in held]
    return training, [examples[number] for number in sorted(held)]


def _from_file(path: Path) -> list[Example]:
    columns = _columns_of_examples(path)
    ids = {name: found for name, names in IDS.items() if (found := _first_example_column(names, column_names(path)))}
    examples = []
    for rows in read_rows(path, {*columns.values(), *ids.values()}):
        for row in rows:
            if row.drop_reason is not None:
                raise CvrError(f"{path}: {row.detail}.")
            texts = {
                name: _text_of_example(row.values[column], path, row.where, column) for name, column in columns.items()
            }
            videos = {name: id_text(row.values[column]) or "" for name, column in ids.items()}
            examples.append(_generator_example(texts, videos, path.name))
    return examples


def _generator_example(texts: dict[str, str], videos: dict[str, str], source: str) -> Example:
    captions = {name: texts[name] for name in ("reference_caption", "target_caption")}
    ids = {name: videos.get(name) or caption_video(captions[name.replace("_id", "_caption")]) for name in sorted(IDS)}
    pair = {**captions, **ids, "pair_id": content_id(*ids.values(), *captions.values()), "changes": []}
    return Example(pair, texts["modification"], source)


def caption_video(caption: str) -> str:
    """Return what stands for a video of which only a caption is known."""
    return "caption:" + normalised(pa.array([caption], pa.string()))[0].as_py()


def _columns_of_examples(path: Path) -> dict[str, str]:
    present = column_names(path)
    found = {name: _first_example_column(names, present) for name, names in NAMES.items()}
    for name, column in found.items():
        if column is None:
            raise CvrError(f"{path} needs a column {' or '.join(NAMES[name])}. {did_you_mean(name, present)}")
    return {name: column for name, column in found.items() if column}


def _first_example_column(names: Iterable[str], present: Sequence[str]) -> str | None:
    return next((name for name in names if name in present), None)


def _text_of_example(value: Any, path: Path, where: str, column: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise CvrError(f"{path}: {where}, column {column!r}: a text is needed, found {value!r}.")
    return clean_text(" ".join(value.split()))


def _from_modifications(artifact: Artifact, splits: Sequence[str]) -> list[Example]:
    if not artifact.stage.startswith("generate-modifications"):
        raise CvrError(f"{artifact.path} was made by {artifact.stage!r}, where modifications are needed.")
    texts = check_columns(artifact.read(), MODIFICATIONS, str(artifact.path))
    pairs = check_columns(open_artifact(artifact.input_path("pairs")).read(), PAIRS, "pairs").to_pylist()
    pair_of = {pair["pair_id"]: pair for pair in pairs}
    rows = [row for row in texts.to_pylist() if row["status"] == "ok" and row["modification"]]
    unknown = [row["pair_id"] for row in rows if row["pair_id"] not in pair_of]
    if unknown:
        raise CvrError(f"{artifact.path}: the pairs {first_few(unknown)} are not in what it was made from.")
    found = ((pair_of[row["pair_id"]], row["modification"]) for row in rows)
    source = f"{artifact.path.resolve().name}@{artifact.key[:12]}"
    return [Example(pair, text, source) for pair, text in found if pair["split"] is None or pair["split"] in splits]
