"""MTEB `vt2v` retrieval: corpus, queries and qrels as Parquet configs, a task file, and descriptive statistics.

    corpus/               id, video                          the gallery of the split
    queries/              id, text, video                    modification text and reference video
    qrels/                query-id, corpus-id, score         1 for each target
    excluded_references/  query-id, corpus-id                what MTEB cannot say: do not rank a query's own video
    README.md  task.py  benchmark.py  descriptive_statistics.json  random_baseline.json

`load_dataset(folder, "corpus")` opens it, and `mteb` does once it is pushed and its commit stands in task.py:
`from benchmark import CVR; mteb.evaluate(model, CVR.tasks)` in that folder. The random baseline is what a random order
is expected to score. MTEB
ranks the reference with the rest, so that its R@1 is lower than the one of `cvr bench`; see
https://github.com/embeddings-benchmark/mteb/pull/5264.

Source: Enevoldsen et al., ICLR 2025 (https://github.com/embeddings-benchmark/mteb).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import yaml

from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.whole_files import json_bytes, read_parquet, write_bytes, write_parquet
from cvr_data.formats._mteb_statistics import mteb_format_random_scores, mteb_statistics
from cvr_data.formats._rows import (
    STORED_VIDEO,
    file_rows_by_split,
    format_file_gallery,
    format_file_triplets,
    format_queries_in_file,
    format_video_values,
    format_videos,
    refuse_clips_in_format,
)
from cvr_data.media.retrieval_set import RetrievalSet
from cvr_data.media.set_queries import listed_queries

if TYPE_CHECKING:
    from datasets import Features

CONFIGS = ("corpus", "queries", "qrels", "excluded_references")
QRELS = pa.schema([("query-id", pa.string()), ("corpus-id", pa.string()), ("score", pa.int32())])
EXCLUDED = pa.schema([("query-id", pa.string()), ("corpus-id", pa.string())])
SHARD_ROWS = 128
"""Videos in one file: all bytes of a file are in memory at once."""
TASK = """from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata


class {name}(AbsTaskRetrieval):
    metadata = TaskMetadata(
        name="{name}",
        description="Retrieve the video that a modification text turns a reference video into.",
        reference="https://huggingface.co/datasets/{repo}",
        dataset={{"path": "{repo}", "revision": "{revision}"}},
        type="Any2AnyRetrieval",
        category="vt2v",
        modalities=["video", "text"],
        eval_splits=["{split}"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
        date=None,
        domains=None,
        task_subtypes=["Cross-Modal Retrieval"],
        license=None,
        annotations_creators=None,
        dialect=[],
        sample_creation=None,
        bibtex_citation=None,
    )
"""


BENCHMARK = """from mteb.benchmarks.benchmark import Benchmark

from task import {name}

CVR = Benchmark(
    name="CVR",
    tasks=[{name}()],
    description="Composed video retrieval: a reference video and a modification text ask for a video.",
    reference="https://huggingface.co/datasets/{repo}",
)
"""


@dataclass(frozen=True, kw_only=True)
class Config:
    repo: str = "user/dataset"
    """Where on the Hub the folder will be pushed, for task.py; it names the task as well."""
    revision: str = "main"
    """Commit of the pushed data set, for task.py: MTEB pins it. Write again with it after the push."""
    split: Literal["train", "val", "test"] = "test"
    """The split that is scored."""
    media: bool = True
    """Put the bytes of the videos into the rows, as MTEB needs them; false leaves the video columns empty."""
    style: str = "short"
    """Style of the texts read; the files do not say."""
    task: str = ""
    """Of a data set with several tasks, which is read: `tv2v` takes the configs tv2v-queries and tv2v-qrels."""

    def __post_init__(self):
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.repo):
            raise ValueError(f"repo should look like user/name, got {self.repo!r}.")
        if not re.fullmatch(r"[\w./-]+", self.revision):
            raise ValueError(f"revision should be a commit or branch, got {self.revision!r}.")


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is written: the gallery, and a text, reference and targets per query."""

    corpus: Sequence[str]
    ids: Sequence[str]
    texts: Sequence[str]
    references: Sequence[str]
    targets: Sequence[Sequence[str]]


def write(config: Config, triplets: pa.Table, out: Path, videos: pa.Table | None = None) -> list[Path]:
    """Write the configs of one split, task.py and the statistics, and return the paths.

    Raises:
        CvrError: the split has no row, or a video has no media file or is a clip of a longer one.
    """
    rows = dict(file_rows_by_split(triplets)).get(config.split)
    if rows is None:
        raise CvrError(f"mteb-vt2v: there is no triplet of split {config.split!r}.")
    queries = format_queries_in_file(rows)
    published = [name for query in queries if (name := query.first.get("published_query_id")) is not None]
    task = Contents(
        corpus=format_file_gallery(rows, videos, config.split),
        ids=published if len(set(published)) == len(queries) else [query.first["query_id"] for query in queries],
        texts=[query.first["modification"] for query in queries],
        references=[query.first["reference_id"] for query in queries],
        targets=[query.target_ids for query in queries],
    )
    media = _mteb_media(videos, [*task.corpus, *task.references]) if config.media else None
    return _write_configs(config, task, out, media or {}) + _write_texts(config, task, out, media)


def read(config: Config, path: Path) -> pa.Table:
    """Return the triplets of a folder, with the ids of its queries in `published_query_id`.

    References are those of `excluded_references`, else as `media/set_queries.py` finds them.
    """
    found = RetrievalSet(folder=path, task=config.task, split=config.split)
    queries = {row["id"]: row for row in read_parquet(listed_queries(found)).to_pylist()}
    targets = found.targets()
    if unknown := sorted(set(targets) - set(queries)):
        raise CvrError(f"{path}: qrels name queries that there are not: {first_few(unknown)}.")
    rows = [(queries[name], document) for name, documents in targets.items() for document in documents]
    columns: dict[str, Sequence[Any]] = {
        "reference_id": [query["reference_id"] for query, _ in rows],
        "target_id": [document for _, document in rows],
        "modification": [query["text"] for query, _ in rows],
        "published_query_id": [query["id"] for query, _ in rows],
    }
    kinds = {"published_query_id": pa.string()}
    return format_file_triplets(columns, where=path, split=config.split, style=config.style, kinds=kinds)


def read_videos(config: Config, path: Path) -> pa.Table:
    ids = RetrievalSet(folder=path, task=config.task, split=config.split).ids("corpus")
    return format_videos(({"video_id": name, "split": config.split} for name in ids), "mteb")


def _mteb_media(videos: pa.Table | None, wanted: Sequence[str]) -> dict[str, Path]:
    paths = {name: Path(path) for name, path in format_video_values(videos, "path").items()}
    if missing := [name for name in dict.fromkeys(wanted) if name not in paths or not paths[name].is_file()]:
        raise CvrError(f"mteb-vt2v: no media of {first_few(missing)}; -o media=false writes ids and texts only.")
    refuse_clips_in_format(videos, wanted, "mteb-vt2v", "-o media=false")
    return paths


def _write_configs(config: Config, task: Contents, out: Path, media: Mapping[str, Path]) -> list[Path]:
    qrels = [
        {"query-id": query_id, "corpus-id": target_id, "score": 1}
        for query_id, targets in zip(task.ids, task.targets, strict=True)
        for target_id in targets
    ]
    pairs = zip(task.ids, task.references, strict=True)
    excluded = [{"query-id": query_id, "corpus-id": reference_id} for query_id, reference_id in pairs]
    queries = {"id": task.ids, "text": task.texts}
    return [
        *_write_videos(config, out / "corpus", {"id": task.corpus}, [media.get(name) for name in task.corpus]),
        *_write_videos(config, out / "queries", queries, [media.get(name) for name in task.references]),
        _write_rows(config, out / "qrels", qrels, QRELS),
        _write_rows(config, out / "excluded_references", excluded, EXCLUDED),
    ]


def _write_videos(
    config: Config, folder: Path, columns: Mapping[str, Sequence[str]], media: Sequence[Path | None]
) -> list[Path]:
    from datasets import Features, Value, Video

    features = Features({**{name: Value("string") for name in columns}, "video": Video()})
    starts = range(0, max(len(media), 1), SHARD_ROWS)
    paths = []
    for number, start in enumerate(starts):
        part = {name: pa.array(values[start : start + SHARD_ROWS], pa.string()) for name, values in columns.items()}
        stored = [
            None if path is None else {"bytes": path.read_bytes(), "path": path.name}
            for path in media[start : start + SHARD_ROWS]
        ]
        table = pa.table({**part, "video": pa.array(stored, STORED_VIDEO)})
        paths.append(
            _write_table(folder / f"{config.split}-{number:05d}-of-{len(starts):05d}.parquet", table, features)
        )
    return paths


def _write_rows(config: Config, folder: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> Path:
    from datasets import Features

    table = pa.Table.from_pylist(rows, schema=schema)
    return _write_table(
        folder / f"{config.split}-00000-of-00001.parquet", table, Features.from_arrow_schema(table.schema)
    )


def _write_table(path: Path, table: pa.Table, features: "Features") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, table.cast(features.arrow_schema))
    return path


def _write_texts(config: Config, task: Contents, out: Path, media: Mapping[str, Path] | None) -> list[Path]:
    relevant = dict(zip(task.ids, task.targets, strict=True))
    asking, ranked = (
        None if media is None else [media[name] for name in names] for names in (task.references, task.corpus)
    )
    numbers = mteb_statistics(task.texts, asking, ranked, relevant, len(task.corpus))
    chance = mteb_format_random_scores(relevant, len(task.corpus))
    configs = [
        {"config_name": name, "data_files": [{"split": config.split, "path": f"{name}/{config.split}-*.parquet"}]}
        for name in CONFIGS
    ]
    front = {"task_categories": ["other"], "tags": ["mteb", "composed-video-retrieval"], "configs": configs}
    title = re.sub(r"[^A-Za-z0-9]", "", config.repo.split("/")[1].title())
    name = f"{title if title[:1].isalpha() else f'Cvr{title}'}VT2VRetrieval"
    stub = TASK.format(name=name, repo=config.repo, revision=config.revision, split=config.split)
    files = {
        "README.md": f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n# {name}\n\n{(__doc__ or '').strip()}\n",
        "task.py": stub,
        "benchmark.py": BENCHMARK.format(name=name, repo=config.repo),
        "random_baseline.json": json_bytes({config.split: chance}).decode(),
        "descriptive_statistics.json": json_bytes({config.split: numbers}).decode(),
    }
    for file, text in files.items():
        write_bytes(out / file, text.encode())
    return [out / file for file in files]
