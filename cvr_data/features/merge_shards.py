"""Brings the shards of an embedding run together: what one run would have written, byte for byte.

A shard holds every n-th part of the whole, under the number that the part has there, so its files are copied as is.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import Artifact, identity_of, open_artifact
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.parts import hash_bucket_keys
from cvr_data.core.progress import Progress
from cvr_data.core.whole_files import read_parquet, whole_file
from cvr_data.features.store import STAGE

COPIED = ("dim", "text_dim", "stored", "frame_token_dim")
"""Manifest entries that all shards share."""


def merge_embeddings(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> Artifact:
    """Return the artifact of all shards of one run.

    Raises:
        CvrError: a folder is no shard, a shard is missing or there twice, shards are of different runs, a part is
            missing, texts are there twice, or no video at all could be read.
    """
    shards = _in_order([open_artifact(folder, STAGE) for folder in folders])
    first = shards[0]
    config = {name: value for name, value in first.manifest["config"].items() if name != "shard"}
    inputs = {name: first.input_path(name) for name in first.manifest["inputs"]}
    writer = ArtifactWriter(
        out, stage=STAGE, version=first.manifest["version"], config=config, inputs=inputs, overwrite=overwrite
    )
    if (done := writer.finished()) is not None:
        return done
    with writer:
        with Progress("merge", len(shards), "shards") as progress:
            for shard in shards:
                _copy(shard, writer.path)
                progress.advance()
        return writer.finish(**_extra(shards, writer.path))


def _extra(shards: Sequence[Artifact], out: Path) -> dict[str, Any]:
    manifest = shards[0].manifest
    present = {path.stem for path in out.glob("part-*.parquet")}
    if missing := [part for part in range(manifest["parts"]) if f"part-{part:05d}" not in present]:
        raise CvrError(f"The shards hold no part {first_few(missing)}; run the shard's command again.")
    ids = np.concatenate(
        [hash_bucket_keys(read_parquet(path, ["item_id"]).column(0)) for path in sorted(out.glob("part-*.parquet"))]
    )
    if len(np.unique(ids)) < len(ids):
        raise CvrError(
            "The shards hold texts twice: versions of cvr cut them otherwise; make all with one, --overwrite."
        )
    counts = {name: sum(shard.manifest[name] for shard in shards) for name in ("videos", "texts")}
    if not counts["videos"] and any(shard.manifest["dropped"] for shard in shards):
        raise CvrError("None of the videos of these shards could be read; their dropped-*.parquet tell why.")
    shared = {name: manifest[name] for name in COPIED if name in manifest}
    told = sum((Counter(shard.manifest.get("media", {})) for shard in shards), Counter[str]())
    if told:
        shared["media"] = dict(sorted(told.items()))
    if funnel := _funnel(shards):
        shared["funnel"] = funnel
    return {**shared, "runs_on": ", ".join(sorted({shard.manifest["runs_on"] for shard in shards})), **counts}


def _funnel(shards: Sequence[Artifact]) -> list[dict[str, Any]]:
    """The counts of the one step, added up; shards of earlier versions have none."""
    found = [shard.manifest["funnel"][0] for shard in shards if "funnel" in shard.manifest]
    if len(found) < len(shards):
        return []
    dropped = sum((Counter(step["dropped"]) for step in found), Counter[str]())
    sums = {name: sum(step[name] for step in found) for name in ("in", "out")}
    return [{"step": found[0]["step"], **sums, "dropped": dict(sorted(dropped.items()))}]


def _in_order(shards: Sequence[Artifact]) -> list[Artifact]:
    by_id: dict[int, Artifact] = {}
    for shard in shards:
        place = shard.manifest["config"].get("shard")
        if place is None:
            raise CvrError(f"{shard.path} is no shard; make shards with: cvr embed --num-shards N --shard-id K")
        if (twin := by_id.get(place["id"])) is not None:
            raise CvrError(f"{twin.path} and {shard.path} are both shard {place['id']}.")
        by_id[place["id"]] = shard
    first = shards[0]
    for shard in shards[1:]:
        if difference := _difference(first, shard):
            raise CvrError(f"{first.path} and {shard.path} are shards of different runs ({difference}).")
    of = first.manifest["config"]["shard"]["of"]
    if missing := [number for number in range(of) if number not in by_id]:
        raise CvrError(f"Of {of} shards, {first_few(missing)} are missing; name them too.")
    return [by_id[number] for number in range(of)]


def _difference(first: Artifact, second: Artifact) -> str | None:
    one, other = identity_of(first.manifest), identity_of(second.manifest)
    for name in ("version", "inputs"):
        if one[name] != other[name]:
            return f"another {'version' if name == 'version' else 'input'}"
    keys = sorted({*one["config"], *other["config"]} - {"shard"})
    for key in keys:
        if one["config"].get(key) != other["config"].get(key):
            return f"{key} = {one['config'].get(key)!r}, not {other['config'].get(key)!r}"
    if one["config"]["shard"]["of"] != other["config"]["shard"]["of"]:
        return f"of {one['config']['shard']['of']} shards, not {other['config']['shard']['of']}"
    return None


def _copy(shard: Artifact, out: Path) -> None:
    """Copy the files of a shard; the Parquet part last, as a writer does, so that its presence means the part."""
    names = shard.manifest["files"]
    for name in sorted(names, key=lambda name: (name.startswith("part-") and name.endswith(".parquet"), name)):
        with whole_file(out / name) as temporary:
            shutil.copyfile(shard.path / name, temporary)
