"""Triplets of a data set on the Hugging Face Hub, in our columns, as `cvr publish` puts them there.

    cvr bench --model sum --data user/name -e embeddings            # or hf:user/name, or hf:user/name@revision

They are read once per revision, through `load_dataset`, and kept in the cache folder as an artifact; its videos'
features are made or downloaded as those of any other videos are. A set in the layout of MTEB's retrieval, which has
the configs corpus and queries, is the benchmark `vt2v` instead; `is_hub_retrieval_data` tells.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, first_line
from cvr_data.download.hub_set import NAME, downloaded_hub_configs, is_hub_set_downloaded, repository_and_commit
from cvr_data.media.retrieval_set import is_retrieval_set
from cvr_data.tables import TRIPLETS

STAGE = "triplets"
PREFIX = "hf:"
SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def is_hub_data_name(data: str) -> bool:
    """Return whether `--data` names a data set on the Hub: hf:user/name, or user/name where there is no such folder."""
    if data.startswith(PREFIX):
        return True
    return NAME.fullmatch(data) is not None and not Path(data).exists() and not Path(data).parent.exists()


def choose_data_on_hub(data: str, cache: Path) -> Path:
    """Return the artifact of the triplets of a data set on the Hub, reading what is not in the cache yet.

    Raises:
        CvrError: the name is malformed, the Hub cannot be reached or has no such data set, or a column is missing.
    """
    repo, commit = _repo_and_commit(data)
    folder = _artifact_folder(repo, commit, cache)
    writer = ArtifactWriter(folder, stage=STAGE, config={"repo": repo, "revision": commit})
    if not (folder / MANIFEST).exists():
        table = _read_hub_rows(repo, commit)
        with writer:
            writer.write_part(0, table)
            writer.finish(rows=table.num_rows)
    return folder


def is_hub_retrieval_data(data: str, cache: Path) -> bool:
    """Return whether a data set on the Hub has the layout of MTEB's retrieval.

    Of a named commit that is here the Hub is not asked.

    Raises:
        CvrError: the name is malformed, or the Hub cannot be reached or has no such data set.
    """
    repo, commit = _repo_and_commit(data)
    if (_artifact_folder(repo, commit, cache) / MANIFEST).exists():
        return False
    return is_hub_set_downloaded(repo, commit) or is_retrieval_set(downloaded_hub_configs(repo, commit))


def _artifact_folder(repo: str, commit: str, cache: Path) -> Path:
    return cache / "hub" / repo.partition("/")[0] / commit[:12] / repo.partition("/")[2]


def _repo_and_commit(data: str) -> tuple[str, str]:
    name = data.removeprefix(PREFIX)
    if not NAME.fullmatch(name):
        raise CvrError(f"--data {data!r} should look like hf:user/name, or hf:user/name@revision.")
    return repository_and_commit(name)


def _read_hub_rows(repo: str, commit: str) -> pa.Table:
    import datasets

    datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(repo, revision=commit)
    except (OSError, ValueError, RuntimeError) as error:
        raise CvrError(f"{repo} cannot be read from the Hub: {first_line(error)}") from None
    tables = [_hub_split(found[name], name, repo) for name in found if name in SPLITS]
    if not tables:
        raise CvrError(f"{repo} has no split {', '.join(SPLITS)}; it has {', '.join(found)}.")
    return pa.concat_tables(tables, promote_options="permissive")


def _hub_split(rows: Any, name: str, repo: str) -> pa.Table:
    """The triplets of one split; other columns, such as videos, are not read."""
    known = [column for column in rows.column_names if column in TRIPLETS.names]
    table = rows.select_columns(known).with_format("arrow")[:].replace_schema_metadata(None)
    if "split" not in known:
        table = table.append_column("split", pa.array([SPLITS[name]] * table.num_rows, pa.string()))
    return check_columns(table, TRIPLETS, f"{repo} ({name})")
