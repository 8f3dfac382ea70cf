"""A data set in the layout of MTEB's retrieval, as it lies on a disk: which files its parts are, and their rows.

    found = RetrievalSet(folder=Path("OmniCVR"))
    found.ids("corpus"), found.targets(), found.candidates()

The parts have several names: `corpus`; `queries` or `query`; `qrels` or `default`; `top_ranked`. Of a set with several
tasks each has its own, `tv2v-queries`, or shares one. The card says which files a part is; without one they lie in a
folder of its name, or are named after it. A part may have the wanted split, or only one of any name.

Source: the loader of https://github.com/embeddings-benchmark/mteb (abstasks/retrieval_dataset_loaders.py).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from cvr_data.core.errors import CvrError, did_you_mean, first_few
from cvr_data.core.files import column_names, id_text, read_table
from cvr_data.core.reading import reading
from cvr_data.core.yaml_text import parse_yaml

PARTS = {
    "corpus": ("corpus",),
    "queries": ("queries", "query"),
    "qrels": ("qrels", "default"),
    "top_ranked": ("top_ranked",),
    "excluded_references": ("excluded_references",),
}
"""Part -> what its config may be called."""
IDS = ("id", "_id", "corpus-id", "query-id")
TEXTS = ("text", "instruction", "modification", "query")
SLICES = ("category", "subcategory", "dimension", "source")
"""Columns of queries that are of interest beside their text; a query is counted under the value."""
SOURCE = ("source_id", "reference_id", "reference-id")
"""Columns of queries that name their reference."""


@dataclass(frozen=True, kw_only=True)
class RetrievalSet:
    """Where it lies, and what of it is wanted."""

    folder: Path
    task: str = ""
    """Of several, as their configs begin: tv2v."""
    split: str = "test"

    def has(self, part: str) -> bool:
        """Return whether there is such a part."""
        return bool(self._found(part))

    def files(self, part: str) -> list[Path]:
        """Return the Parquet files of a part. Raises CvrError: there are none; other tasks and splits are named."""
        if found := self._found(part):
            return found
        names = self._names(part)
        ends = tuple(f"-{end}" for end in PARTS[part])
        folders = [path.name for path in self.folder.iterdir() if path.is_dir()] if self.folder.is_dir() else []
        tasks = sorted({name.rpartition("-")[0] for name in self._card or folders if name.endswith(ends)})
        if tasks and not self.task:
            raise CvrError(f"{self.folder} has the tasks {', '.join(tasks)}; choose one with task=NAME.")
        raise CvrError(
            f"{self.folder} has no {names[0]}/{self.split}-*.parquet"
            + (f"; its card lists {first_few(sorted(self._card))}." if self._card else ".")
        )

    def table(self, part: str, columns: Sequence[str]) -> pa.Table:
        """Return columns of a part, those that it has. Raises CvrError: a file cannot be read."""
        return pa.concat_tables([read_table(file, columns) for file in self.files(part)], promote_options="permissive")

    def columns(self, part: str) -> list[str]:
        """Return the names of the columns of a part."""
        return column_names(self.files(part)[0])

    def column_of(self, part: str, names: Iterable[str]) -> str:
        """Return the first of the columns that a part has. Raises CvrError: it has none."""
        known = self.columns(part)
        wanted = list(names)
        for name in wanted:
            if name in known:
                return name
        raise CvrError(f"{self.files(part)[0]} has no column {wanted[0]!r}. {did_you_mean(wanted[0], known)}")

    def ids(self, part: str) -> list[str]:
        """Return the ids of the rows of `corpus` or `queries`. Raises CvrError: one is none, or comes twice."""
        name = self.column_of(part, IDS)
        found = [id_text(value) for value in self.table(part, [name]).column(name).to_pylist()]
        ids = [value for value in found if value]
        if len(ids) < len(found) or len(set(ids)) < len(ids):
            what = "rows without an id" if len(ids) < len(found) else "an id twice"
            raise CvrError(f"{self.files(part)[0]}: {part} has {what}.")
        return ids

    def targets(self) -> dict[str, dict[str, int]]:
        """Return query id -> document id -> how relevant it is, from 1; documents of 0 are left out."""
        rows = self.table("qrels", ["query-id", "corpus-id", "score"])
        self._check_columns("qrels", rows, "query-id", "corpus-id")
        scores = rows.column("score").to_pylist() if "score" in rows.column_names else [1] * rows.num_rows
        found: dict[str, dict[str, int]] = {}
        names = zip(rows.column("query-id").to_pylist(), rows.column("corpus-id").to_pylist(), scores, strict=True)
        for query_id, document_id, score in names:
            if not is_score(score):
                raise CvrError(f"{self.files('qrels')[0]}: {str(score)[:80]!r} of {query_id} in 'score' is no number.")
            if score is not None and score > 0:
                query, document = self._id("qrels", query_id), self._id("qrels", document_id)
                found.setdefault(query, {})[document] = max(1, round(score))
        return found

    def candidates(self) -> dict[str, frozenset[str]] | None:
        """Return query id -> the documents that it is ranked against; None where each is ranked against all."""
        if not self.has("top_ranked"):
            return None
        rows = self.table("top_ranked", ["query-id", "corpus-ids"])
        self._check_columns("top_ranked", rows, "query-id", "corpus-ids")
        names: dict[str, str] = {}  # a name once in memory, however many lists it is in
        found = {}
        for batch in rows.to_batches(max_chunksize=64):
            for row in batch.to_pylist():
                query, listed = self._id("top_ranked", row["query-id"]), row["corpus-ids"]
                if not isinstance(listed, list):
                    raise CvrError(f"{self.files('top_ranked')[0]}: 'corpus-ids' of {query} is no list.")
                ids = [self._id("top_ranked", name) for name in listed]
                found[query] = frozenset(names.setdefault(name, name) for name in ids)
        return found

    def excluded_references(self) -> dict[str, str]:
        """Return query id -> the document that it asks about. Raises CvrError: a column is missing."""
        rows = self.table("excluded_references", ["query-id", "corpus-id"])
        self._check_columns("excluded_references", rows, "query-id", "corpus-id")
        pairs = zip(rows.column("query-id").to_pylist(), rows.column("corpus-id").to_pylist(), strict=True)
        return {
            self._id("excluded_references", query): self._id("excluded_references", document)
            for query, document in pairs
        }

    def _check_columns(self, part: str, rows: pa.Table, *names: str) -> None:
        if missing := [name for name in names if name not in rows.column_names]:
            raise CvrError(f"{self.files(part)[0]} has no column {missing[0]!r}.")

    def _id(self, part: str, value: object) -> str:
        if not (found := id_text(value)):
            raise CvrError(f"{self.files(part)[0]}: {str(value)[:80]!r} is no id.")
        return found

    def _names(self, part: str) -> list[str]:
        own = [f"{self.task}-{name}" for name in PARTS[part]] if self.task else []
        return own + list(PARTS[part]) if part == "corpus" or not own else own

    def _found(self, part: str) -> list[Path]:
        for name in self._names(part):
            if files := self._listed(name) or self._beside(name):
                return files
        return []

    def _listed(self, name: str) -> list[Path]:
        """The files that the card lists for a config."""
        splits = self._card.get(name, {})
        patterns = splits.get(self.split) or (next(iter(splits.values())) if len(splits) == 1 else [])
        inside = [pattern for pattern in patterns if not pattern.startswith("/") and ".." not in Path(pattern).parts]
        found: set[Path] = set()
        for pattern in inside:
            with suppress(ValueError, IndexError):  # a card may say anything; that no file is found is told
                found.update(file for file in self.folder.glob(pattern) if file.suffix == ".parquet")
        return sorted(found)

    def _beside(self, name: str) -> list[Path]:
        """The files of a folder of that name, or those whose names begin with it."""
        inside = sorted((self.folder / name).glob("*.parquet"))
        of_split = [file for file in inside if file.name.startswith((f"{self.split}-", f"{self.split}."))]
        if of_split or len({file.name.partition("-")[0] for file in inside}) == 1:
            return of_split or inside
        return sorted(self.folder.glob(f"{name}-*-of-*.parquet")) + sorted(self.folder.glob(f"{name}.parquet"))

    @cached_property
    def _card(self) -> dict[str, dict[str, list[str]]]:
        """Config -> split -> patterns of its files, as the card says."""
        path = self.folder / "README.md"
        if not path.is_file():
            return {}
        with reading(path, "the card of a data set"):
            parts = path.read_text(encoding="utf-8").split("---\n")
            try:
                said = parse_yaml(parts[1]) if len(parts) > 2 and not parts[0].strip() else None
            except yaml.YAMLError:
                said = None
        configs = said.get("configs") if isinstance(said, dict) else None
        found = [each for each in configs if isinstance(each, dict)] if isinstance(configs, list) else []
        return {str(each.get("config_name")): _patterns_of_splits(each.get("data_files")) for each in found}


def is_score(value: object) -> bool:
    """Return whether a value of qrels says how relevant a document is; None says nothing."""
    return value is None or (isinstance(value, int | float | Decimal) and math.isfinite(value))


def is_retrieval_set(configs: Iterable[str]) -> bool:
    """Return whether configs of these names are those of such a set: a corpus, and queries of any task."""
    known = set(configs)
    has = [
        any(name in PARTS[part] or name.endswith(tuple(f"-{end}" for end in PARTS[part])) for name in known)
        for part in ("corpus", "queries")
    ]
    return all(has)


def _patterns_of_splits(data_files: Any) -> dict[str, list[str]]:
    """What a card says of the files of a config: a pattern, a list of them, or splits with either."""
    entries = data_files if isinstance(data_files, list) else [data_files]
    found: dict[str, list[str]] = {}
    for entry in entries:
        named: Mapping[str, Any] = entry if isinstance(entry, dict) else {"path": entry}
        paths = named.get("path")
        listed = paths if isinstance(paths, list) else [paths]
        found.setdefault(str(named.get("split", "")), []).extend(path for path in listed if isinstance(path, str))
    return {split: paths for split, paths in found.items() if paths}
