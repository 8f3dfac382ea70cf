"""CIRR JSON: each query with a group of six that look alike, so that it can be ranked within them as well.

    captions/cap.rc2.{train,val,test1}.json
    [{"pairid": 12060, "reference": "dev-244-0-img0", "target_hard": "dev-1028-1-img1",
      "target_soft": {"dev-1028-1-img1": 1.0}, "caption": "show three bottles of soft drink",
      "img_set": {"id": 36, "members": [<six ids>], "reference_rank": 2, "target_rank": 3}}]
    image_splits/split.rc2.{train,val,test1}.json    {"dev-244-0-img0": "./dev/dev-244-0-img0.png"}

Group, ranks and soft targets become extra columns. For triplets that have no group yet, one is made from the features
of an embeddings folder: reference, target, and the four videos of the split that look most like both, without other
right answers and near-duplicates of the target; the ranks are then places in the group. The published test1 hides its
targets and is refused.

Two other sets give the same pairs other texts, and `texts` reads them: Fine-CIRR (`finemt`) as lines of objects in
cirr.fine.{train,val}.jsonl, and M-CIRR (`mmt`, several changes in one text) in cap.rc2.{train,val,test1}.mmt.json.

Source: Liu et al., ICCV 2021 (https://github.com/Cuberick-Orion/CIRR), version rc2; FineCIR
(https://github.com/SDU-L/FineCIR), of whose files an example was seen; TEMA (https://github.com/iLearn-Lab/ACL26-TEMA),
whose files were not seen: names and keys are those that its code reads.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from cvr_data.core.annotation_files import read_json, read_json_entries
from cvr_data.core.columns import with_column
from cvr_data.core.errors import CvrError
from cvr_data.formats import _rows
from cvr_data.formats._rows import OfSplits, Texts
from cvr_data.tables import QUERY_NUMBER

SUBSETS = {"train": "train", "val": "val", "test": "test1"}
"""Our split -> what CIRR calls it."""
TEXTS = {"published": "caption", **_rows.OTHER_TEXTS}
"""Whose texts -> the key that they are under."""
SOFT = pa.list_(pa.struct([("video_id", pa.string()), ("score", pa.float64())]))
KINDS = {
    "group_number": pa.int64(), "group_members": pa.list_(pa.string()), "reference_rank": pa.int32(),
    "target_rank": pa.int32(), "soft_targets": SOFT,
}  # fmt: skip
REQUIRED = ("pairid", "reference", "img_set")

GROUP_SIZE = 6
GROUP_CHUNK = 512
"""Pairs compared with the whole gallery at once."""
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Config(OfSplits):
    embeddings: Path | None = None
    """Embeddings folder that says which videos look alike; needed to write triplets that have no groups."""
    texts: Texts = "published"
    """Whose texts are read: CIRR's own, Fine-CIRR's, or M-CIRR's."""
    split: str = ""
    """Read this split only: train, val or test (CIRR's test1); empty: all."""


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write captions and videos of each split that has rows, and return the paths.

    Raises:
        CvrError: groups are to be made, and there are no features or too few videos.
    """
    paths = []
    for split, rows in _rows.file_rows_by_split(triplets):
        gallery = _rows.format_file_gallery(rows, videos, split)
        grouped = (
            rows
            if None not in _rows.format_column(rows, "group_members")
            else _with_groups(config, rows, gallery, videos)
        )
        entries = [
            _cirr_entry(row, number)
            for row, number in zip(grouped.to_pylist(), _rows.format_row_numbers(rows), strict=True)
        ]
        paths += [
            _rows.write_format_json(out / "captions" / f"cap.rc2.{SUBSETS[split]}.json", entries),
            _rows.write_format_json(
                out / "image_splits" / f"split.rc2.{SUBSETS[split]}.json", _cirr_image_places(gallery, videos, split)
            ),
        ]
    return paths


def read(config: Config, path: Path) -> pa.Table:
    return _rows.format_triplets_of_files(path, _files(config), config, _read_file)


def _files(config: Config) -> dict[str, list[str]]:
    return {split: cirr_format_caption_files(subset, config.texts) for split, subset in SUBSETS.items()}


def cirr_format_caption_files(subset: str, texts: Texts) -> list[str]:
    """Return where the captions of a split of CIRR may lie, the likeliest place first."""
    if texts == "fine":
        folders = ("captions", "finemt_captions", "fine-cirr/finemt_captions")
        return [f"{folder}/cirr.fine.{subset}.{end}" for folder in folders for end in ("jsonl", "json")]
    if texts == "multi":
        folders = ("captions", "mmt_captions", "mcirr/mmt_captions")
        return [f"{folder}/cap.rc2.{subset}.mmt.json" for folder in folders]
    return [f"captions/cap.rc2.{subset}.json"]


def read_videos(config: Config, path: Path) -> pa.Table:
    """Return the images of the splits that `read` reads, where the folder lists them."""
    rows = [
        {"video_id": image_id, "split": split, "published_path": place}
        for split, file in _rows.files_by_split(path, _files(config), config.split).items()
        if (images := _image_file(file, split)) is not None
        for image_id, place in read_cirr_format_images(images).items()
    ]
    return _rows.format_videos(rows, "cirr")


def _image_file(captions: Path, split: str) -> Path | None:
    """The list of the split's images in a folder above the captions: as far up as those of another set may lie."""
    places = [folder / "image_splits" / f"split.rc2.{SUBSETS[split]}.json" for folder in captions.parents[:3]]
    return next(filter(Path.is_file, places), None)


def read_cirr_format_images(path: Path) -> dict[str, str]:
    """Return image id -> path of the images of a split, in the order of the file.

    Raises:
        CvrError: there is no such file, or it is no such JSON.
    """
    return read_json(path, dict)


def read_cirr_format_queries(path: Path, texts: Texts = "published") -> pa.Table:
    """Return the queries of a file of captions, a row each, whether or not it tells their targets.

    Raises:
        CvrError: there is no such file, or it is no such JSON.
    """
    entries = _read_entries(path, texts, ())
    return _rows.format_file_queries(
        {**_cirr_queries(entries, texts), **_cirr_groups(entries)}, where=path, kinds=KINDS
    )


def _cirr_image_places(gallery: list[str], videos: pa.Table | None, split: str) -> dict[str, str]:
    """Where CIRR's loaders look for each video: as published, else ./<subset>/<id><suffix of its media>."""
    published, media = (
        _rows.format_video_values(videos, "published_path"),
        _rows.format_video_values(videos, "path"),
    )
    return {
        video_id: published.get(video_id)
        or f"./{SUBSETS[split]}/{video_id}{PurePosixPath(media.get(video_id, '.mp4')).suffix or '.mp4'}"
        for video_id in gallery
    }


def _with_groups(config: Config, rows: pa.Table, gallery: list[str], videos: pa.Table | None) -> pa.Table:
    if config.embeddings is None:
        raise CvrError("cirr: groups of videos that look alike need features: pass -o embeddings=FOLDER.")
    pairs = list(zip(_rows.format_column(rows, "reference_id"), _rows.format_column(rows, "target_id"), strict=True))
    groups = _visual_groups(pairs, gallery, config.embeddings, banned=_banned(rows, videos))
    numbers = {pair: number for number, pair in enumerate(groups)}
    columns = {
        "group_number": [numbers[pair] for pair in pairs],
        "group_members": [groups[pair] for pair in pairs],
        "reference_rank": [groups[pair].index(pair[0]) for pair in pairs],
        "target_rank": [groups[pair].index(pair[1]) for pair in pairs],
    }
    for name, values in columns.items():
        rows = with_column(rows, name, pa.array(values, KINDS[name]))
    return rows


def _banned(rows: pa.Table, videos: pa.Table | None) -> dict[Pair, set[str]]:
    """The videos that would be right, or as good as right, for a query of the pair."""
    ends = [_rows.format_column(rows, name) for name in ("query_id", "reference_id", "target_id", "target_group_id")]
    answers: dict[str, set[str]] = defaultdict(set)
    alike: dict[str, set[str]] = defaultdict(set)
    for video_id, group in _rows.format_video_values(videos, "group_id").items():
        alike[group].add(video_id)
    for query, _, target, _ in zip(*ends, strict=True):
        answers[query].add(target)
    banned: dict[Pair, set[str]] = defaultdict(set)
    for query, reference, target, group in zip(*ends, strict=True):
        banned[reference, target] |= answers[query] | alike.get(group or "", set())
    return banned


def _cirr_entry(row: dict[str, Any], number: int) -> dict[str, Any]:
    soft = row.get("soft_targets") or [{"video_id": row["target_id"], "score": 1.0}]
    return {
        "pairid": number,
        "reference": row["reference_id"],
        "target_hard": row["target_id"],
        "target_soft": {entry["video_id"]: entry["score"] for entry in soft},
        "caption": row["modification"],
        "img_set": {
            "id": row["group_number"],
            "members": row["group_members"],
            "reference_rank": row["reference_rank"],
            "target_rank": row["target_rank"],
        },
    }


def _read_file(config: Config, path: Path, split: str) -> pa.Table:
    entries = _read_entries(path, config.texts, ("target_hard",))
    soft = [entry.get("target_soft") or {entry["target_hard"]: 1.0} for entry in entries]
    columns = {
        **_cirr_queries(entries, config.texts),
        "target_id": [entry["target_hard"] for entry in entries],
        "soft_targets": [[{"video_id": name, "score": score} for name, score in targets.items()] for targets in soft],
        **_cirr_groups(entries),
    }
    return _rows.format_file_triplets(columns, where=path, split=split, style=config.style, kinds=KINDS)


def _read_entries(path: Path, texts: Texts, targets: Sequence[str]) -> list[dict[str, Any]]:
    required = (*REQUIRED, TEXTS[texts])
    entries = read_json_entries(path, required, targets)
    for place, entry in enumerate(entries):
        if not isinstance(entry["img_set"], dict) or not isinstance(entry.get("target_soft", {}), dict):
            raise CvrError(f"{path}: entry {place}: 'img_set' and 'target_soft' should be objects.")
        if not isinstance(entry["img_set"].get("members"), list):
            raise CvrError(f"{path}: entry {place}: 'img_set' has no list 'members'.")
        if bad := [name for name in targets if not isinstance(entry[name], str)]:
            raise CvrError(f"{path}: entry {place}: {bad[0]!r} should be a name, found {str(entry[bad[0]])[:80]}.")
    return entries


def _cirr_queries(entries: Sequence[dict[str, Any]], texts: Texts) -> dict[str, list[Any]]:
    return {
        "reference_id": [entry["reference"] for entry in entries],
        "modification": [entry[TEXTS[texts]] for entry in entries],
        QUERY_NUMBER: [entry["pairid"] for entry in entries],
    }


def _cirr_groups(entries: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    groups = [entry["img_set"] for entry in entries]
    return {
        "group_number": [group.get("id") for group in groups],
        "group_members": [group.get("members") for group in groups],
        "reference_rank": [group.get("reference_rank") for group in groups],
        "target_rank": [group.get("target_rank") for group in groups],
    }


def _visual_groups(
    pairs: Sequence[Pair], gallery: Sequence[str], embeddings: Path, *, banned: Mapping[Pair, set[str]],
) -> dict[Pair, list[str]]:  # fmt: skip
    """Return (reference, target) -> six ids in id order: both, and the four that look most like the two together.

    `banned` are the videos that may not fill up a pair's group: other right answers, and near-duplicates of one.

    Raises:
        CvrError: a video has no features, or the gallery is too small for a group.
    """
    from cvr_data.features.store import FeatureStore

    pooled = FeatureStore.open(embeddings, space="raw").pooled(gallery).numpy()
    place = {video_id: row for row, video_id in enumerate(gallery)}
    in_id_order = np.argsort(np.array(gallery), kind="stable")
    distinct = list(dict.fromkeys(pairs))
    groups = {}
    for start in range(0, len(distinct), GROUP_CHUNK):
        chunk = distinct[start : start + GROUP_CHUNK]
        ends = pooled[[place[reference] for reference, _ in chunk]] + pooled[[place[target] for _, target in chunk]]
        scores = (ends @ pooled.T)[:, in_id_order]
        for pair, row in zip(chunk, scores, strict=True):
            # Equal scores are taken in the order of ids, so that the order of the gallery does not matter.
            order = in_id_order[np.argsort(-row, kind="stable")]
            groups[pair] = _cirr_group(pair, (gallery[found] for found in order), banned.get(pair, set()))
    return groups


def _cirr_group(pair: Pair, nearest_first: Iterable[str], banned: set[str]) -> list[str]:
    members = list(dict.fromkeys(pair))
    for video_id in nearest_first:
        if len(members) == GROUP_SIZE:
            break
        if video_id not in members and video_id not in banned:
            members.append(video_id)
    if len(members) < GROUP_SIZE:
        raise CvrError(f"The split has too few videos for a group of {GROUP_SIZE} around {pair[0]} and {pair[1]}.")
    return sorted(members)
