"""Small artifacts for tests, from videos to texts: `write_texts(tmp_path)`; `cvr build-triplets` goes on from there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.media.video import write_mp4
from cvr_data.tables import MODIFICATIONS, PAIRS, VIDEOS, modification_id, pair_id

CAPTIONS = {"r1": "a red ball", "b1": "a blue ball", "g1": "a green ball", "r2": "a red cube", "b2": "a blue cube"}
LICENCES = {"r1": "CC-BY-4.0", "b1": "CC-BY-4.0", "g1": None, "r2": "MIT", "b2": "MIT"}
SPLITS = {"r1": "train", "b1": "train", "g1": "train", "r2": "test", "b2": "test"}
PAIRS_OF = (("r1", "b1"), ("r1", "g1"), ("r2", "b2"), ("b2", "r2"))
COLOURS = {"r": (220, 30, 30), "g": (30, 160, 30), "b": (30, 30, 220)}


def write_artifact(
    folder: Path, stage: str, rows: list[dict[str, Any]] | pa.Table, schema: pa.Schema | None = None, **inputs: Path
) -> Path:
    """Write rows, or a table of them, as an artifact of one part, which the schema says what it has to have."""
    table = rows if isinstance(rows, pa.Table) else table_of(rows, schema or pa.schema([]))
    with ArtifactWriter(folder, stage=stage, inputs=inputs) as writer:
        writer.write_part(0, table if schema is None else check_columns(table, schema, "test"))
        writer.finish()
    return folder


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return the rows with every column that one of them has, those of the schema of its types, and checked."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or schema.names
    types = dict(zip(schema.names, schema.types, strict=True))
    columns = {name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names}
    return check_columns(pa.table(columns), schema, "test")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the content of the files of an artifact but its manifest, which tells of the run."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def write_videos(folder: Path) -> Path:
    """Write five videos in two splits; r1 to b2 have a file, g1 has a url only and no licence."""
    (folder.parent / "media").mkdir(exist_ok=True)
    rows = []
    for name, caption in CAPTIONS.items():
        path = folder.parent / "media" / f"{name}.mp4"
        if name != "g1":
            write_mp4(path, np.full((4, 32, 32, 3), COLOURS[name[0]], np.uint8))
        rows.append({"video_id": name, "captions": [caption], "source": "filmed" if LICENCES[name] else "found",
                     "path": str(path.resolve()) if name != "g1" else None, "licence": LICENCES[name],
                     "url": f"https://example.org/{name}.mp4" if name == "g1" else None, "duration_s": 0.5,
                     "split": SPLITS[name]})  # fmt: skip
    return write_artifact(folder, "import-tiny", rows, VIDEOS)


def mined_pair(ids: tuple[str, str], captions: tuple[str, str], **columns: Any) -> dict[str, Any]:
    """Return a row of pairs, whose words that differ are attributes; `columns` replaces or adds to what it has."""
    words = zip(captions[0].split(), captions[1].split(), strict=False)
    changes = [{"kind": "static", "slot": "attribute", "before": one, "after": other} for one, other in words
               if one != other]  # fmt: skip
    return {"pair_id": pair_id(*ids, *captions), "reference_id": ids[0], "target_id": ids[1],
            "reference_caption": captions[0], "target_caption": captions[1], "strategy": "one-word",
            "changes": changes, **columns}  # fmt: skip


def ruled_text(pair: str, text: str, *, style: str = "short", seed: int = 0, **columns: Any) -> dict[str, Any]:
    """Return a row of texts of a pair, accepted and written by rules."""
    about = {"pair_id": pair, "style": style, "backend": "rules", "model": "rules", "prompt_sha256": "0", "seed": seed}
    return {"modification_id": modification_id(**about), "modification": text, **about, "prompt": style,
            "status": "ok", "reasons": [], **columns}  # fmt: skip


def write_pairs(folder: Path, videos: Path) -> Path:
    """Write four pairs of the videos."""
    rows = [mined_pair(ids, (CAPTIONS[ids[0]], CAPTIONS[ids[1]]), split=SPLITS[ids[0]]) for ids in PAIRS_OF]
    return write_artifact(folder, "mine-pairs", rows, PAIRS, videos=videos)


def write_texts(folder: Path, *, style: str = "short", verb: str = "make it") -> Path:
    """Write videos, pairs and a text per pair under `folder` and return the folder of texts; the last is rejected."""
    videos = folder / "videos" if (folder / "videos").exists() else write_videos(folder / "videos")
    pairs = folder / "pairs" if (folder / "pairs").exists() else write_pairs(folder / "pairs", videos)
    rows = []
    for place, (reference, target) in enumerate(PAIRS_OF):
        one = pair_id(reference, target, CAPTIONS[reference], CAPTIONS[target])
        is_ok = place < len(PAIRS_OF) - 1
        about = {} if is_ok else {"status": "rejected", "reasons": ["copied"]}
        rows.append(ruled_text(one, f"{verb} {CAPTIONS[target].split()[1]}", style=style, **about))
    return write_artifact(folder / style, "generate-modifications", rows, MODIFICATIONS, pairs=pairs)
