"""Builds a dataset folder from modification texts: triplets, WebVid-CoVR CSVs, statistics and a card.

    annotations/<name>/  part-00000.parquet  dropped-00000.parquet  webvid_covr_{train,val,test}.csv
                         statistics.json  README.md  manifest.json

Pairs and videos are found by following the manifests; a path that is given wins. Where test sources are named, they
alone give the test triplets, and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact, ArtifactWriter, open_artifact
from cvr_data.core.columns import check_columns
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.lineage import FunnelStep, funnel_of, lineage
from cvr_data.core.registry import config_dict
from cvr_data.core.stages import count_reasons, split_dropped, write_parts
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import file_sha256, json_bytes
from cvr_data.features.encoders import ENCODERS
from cvr_data.formats.webvid_covr import csv_bytes
from cvr_data.tables import MODIFICATIONS, PAIRS, SPLITS
from cvr_data.triplets.card import Card, commands_of, render_card, sources_of
from cvr_data.triplets.dataset import read_videos, used_videos
from cvr_data.triplets.join import VERSION, Config, run, run_apart
from cvr_data.triplets.judgments import read_verdicts
from cvr_data.triplets.statistics import statistics

STAGE = "build-triplets"
FALLBACK_NAME = "dataset"
PLAIN_NAMES = {"videos", "videos-split", "split"}
"""Folder names that say nothing of what is in them."""


@dataclass(frozen=True, kw_only=True)
class DatasetParts:
    """The artifacts that a dataset is built from."""

    modifications: tuple[Path, ...]
    pairs: tuple[Path, ...]
    videos: tuple[Path, ...] = ()
    embeddings: Path | None = None
    tests: "DatasetParts | None" = None
    """What the test triplets are built from, if from another corpus."""
    judgments: Path | None = None
    """What people said of the texts (`cvr export-judgments`)."""
    judged_only: bool = False
    """Drop texts that nobody judged, in splits where others were judged."""

    def named(self) -> dict[str, Path]:
        """Return input name -> folder as manifests list them: pairs, pairs-2, ..."""
        named = {}
        for name in ("modifications", "pairs", "videos"):
            folders = _distinct([*getattr(self, name), *(getattr(self.tests, name) if self.tests else ())])
            for number, folder in enumerate(folders, start=1):
                named[name if number == 1 else f"{name}-{number}"] = folder
        if self.embeddings is not None:
            named["embeddings"] = self.embeddings
            if (self.embeddings / "heads" / "manifest.json").exists():
                named["heads"] = self.embeddings / "heads"
        if self.judgments is not None:
            named["judgments"] = self.judgments
        return named


def find_parts(
    modifications: Sequence[Path], *, pairs: Path | None = None, videos: Path | None = None,
    embeddings: Path | None = None,
) -> DatasetParts:  # fmt: skip
    """Return the texts and what their manifests say they were made from; a folder that is given wins.

    Raises:
        CvrError: a folder is no modifications artifact, or a manifest points at something gone or changed.
    """
    texts = [open_artifact(folder) for folder in modifications]
    pair_folders = _distinct([pairs] if pairs else (text.input_path("pairs") for text in texts))
    opened = [open_artifact(folder) for folder in pair_folders]
    followed = (folder.input_path("videos") for folder in opened if "videos" in folder.manifest["inputs"])
    return DatasetParts(
        modifications=tuple(modifications),
        pairs=pair_folders,
        videos=_distinct([videos] if videos else followed),
        embeddings=embeddings,
    )


def with_tests(sources: DatasetParts, modifications: Sequence[Path]) -> DatasetParts:
    """Return the sources with others that alone give the test triplets.

    Raises:
        CvrError: a folder is no modifications artifact, gives both, or points at something gone or changed.
    """
    tests = find_parts(modifications)
    both = {path.resolve() for path in sources.modifications} & {path.resolve() for path in tests.modifications}
    if both:
        raise CvrError(f"{first_few(sorted(map(str, both)))} cannot give the training and the test triplets.")
    return replace(sources, tests=tests)


def default_name(sources: DatasetParts) -> str:
    """Return the name of the videos folder or, where that says nothing, of the corpus; else `dataset`."""
    for folder in sources.videos[:1]:
        for artifact in reversed(lineage([folder])):
            if artifact.path.resolve().name not in PLAIN_NAMES:
                return artifact.path.resolve().name.removesuffix("-split")
            if artifact.stage.startswith("import-"):
                return artifact.stage.removeprefix("import-")
    return FALLBACK_NAME


def build_triplets(sources: DatasetParts, out: Path, config: Config, *, name: str, overwrite: bool = False) -> Artifact:
    """Write the dataset folder and return its artifact.

    Raises:
        CvrError: a table lacks a column, no triplet is left, or `out` holds something else.
    """
    tested = {"test_from": [open_artifact(path).key for path in sources.tests.modifications]} if sources.tests else {}
    judged = {"judged_only": True} if sources.judged_only else {}
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config={**config_dict(config), "name": name, **tested, **judged},
        inputs=sources.named(), overwrite=overwrite,
    )  # fmt: skip
    if (done := writer.finished()) is not None:
        return done
    kept, dropped = _join(config, sources)
    artifacts = lineage(sources.named().values())
    own = FunnelStep(
        stage=STAGE, step=STAGE, rows_in=kept.num_rows + dropped.num_rows, rows_out=kept.num_rows,
        dropped=count_reasons(dropped),
    )  # fmt: skip
    made_of = MadeOf(
        lineage=artifacts,
        funnel=[*funnel_of(artifacts), own],
        commands=[*commands_of(artifacts), running_command()],
        versions=installed_versions(),
    )
    with writer:
        kept = kept if sources.embeddings is None else _scored(kept, sources.embeddings)
        return write_dataset(writer, name, kept, dropped, videos=read_videos(_all_videos(sources)), made_of=made_of)


@dataclass(frozen=True, kw_only=True)
class MadeOf:
    """Where a dataset comes from, for its card and manifest."""

    lineage: Sequence[Artifact]
    funnel: Sequence[FunnelStep]
    commands: Sequence[str]
    versions: Mapping[str, str]


def write_dataset(
    writer: ArtifactWriter, name: str, kept: pa.Table, dropped: pa.Table, *, videos: pa.Table | None, made_of: MadeOf,
    extra: Mapping[str, Any] | None = None,
) -> Artifact:  # fmt: skip
    """Write parts, CSVs, statistics and the card through an open writer, and finish it; `extra` is for its manifest."""
    write_parts(writer, kept, dropped)
    numbers = statistics(kept, videos)
    for split, file_name in _csv_names(kept).items():
        writer.write_file(file_name, csv_bytes(kept.filter(pc.equal(kept.column("split"), split))))
    writer.write_file("statistics.json", json_bytes(numbers))
    names = [path for path in sorted(writer.path.iterdir()) if path.suffix in (".parquet", ".csv", ".json")]
    card = Card(
        name=name,
        triplets=kept,
        numbers=numbers,
        funnel=made_of.funnel,
        lineage=made_of.lineage,
        sources=sources_of(videos, used_videos(kept)),
        configs={"default": _csv_names(kept)},
        files={path.name: file_sha256(path) for path in names if path.name != "running.json"},
        versions=made_of.versions,
        commands=list(dict.fromkeys(made_of.commands)),
        coverage=(extra or {}).get("coverage"),
    )
    writer.write_file("README.md", render_card(card).encode())
    return writer.finish(name=name, funnel=[step.as_json() for step in made_of.funnel], **(extra or {}))


def _distinct(folders: Iterable[Path]) -> tuple[Path, ...]:
    return tuple({Path(folder).resolve(): Path(folder) for folder in folders}.values())


def _join(config: Config, sources: DatasetParts) -> tuple[pa.Table, pa.Table]:
    tables = [_texts_and_pairs(given) for given in (sources, sources.tests) if given is not None]
    if sources.judgments is not None:
        verdicts = read_verdicts(sources.judgments, judged_only=sources.judged_only)
        videos = read_videos(_all_videos(sources))
        tables = [verdicts.apply(*texts_and_pairs, videos) for texts_and_pairs in tables]
        verdicts.require_met(sources.judgments)
    rows = run(config, *tables[0]) if sources.tests is None else run_apart(config, *tables)
    kept, dropped = split_dropped(rows)
    if not kept.num_rows:
        listed = ", ".join(f"{reason} {count}" for reason, count in count_reasons(dropped).items())
        raise CvrError(f"No triplet is left of {dropped.num_rows} texts (dropped: {listed or 'there was no text'}).")
    return kept, dropped


def _texts_and_pairs(sources: DatasetParts) -> tuple[pa.Table, pa.Table]:
    texts = [check_columns(open_artifact(path).read(), MODIFICATIONS, str(path)) for path in sources.modifications]
    pairs = [check_columns(open_artifact(path).read(), PAIRS, str(path)) for path in sources.pairs]
    joined = [pa.concat_tables(tables, promote_options="permissive") for tables in (texts, pairs)]
    return joined[0], joined[1]


def _all_videos(sources: DatasetParts) -> tuple[Path, ...]:
    return _distinct([*sources.videos, *(sources.tests.videos if sources.tests else ())])


def _scored(triplets: pa.Table, embeddings: Path) -> pa.Table:
    from cvr_data.features.frame_scores import with_frame_scores
    from cvr_data.features.store import FeatureStore

    encoder = ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": str(embeddings)}))
    return with_frame_scores(triplets, encoder, FeatureStore.open(embeddings).video_ids)


def _csv_names(triplets: pa.Table) -> dict[str, str]:
    present = set(triplets.column("split").to_pylist())
    return {split: f"webvid_covr_{split}.csv" for split in SPLITS if split in present}
