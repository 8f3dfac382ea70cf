"""Builds a dataset folder from modification texts: triplets, WebVid-CoVR CSVs, statistics and a card.

    annotations/<name>/  part-00000.parquet  dropped-00000.parquet  webvid_covr_{train,val,test}.csv
                         statistics.json  README.md  manifest.json

Pairs and videos are found by following the manifests; a path that is given wins. Where test sources are named, they
alone give the test triplets, and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.lineage import FunnelStep, lineage, lineage_funnel, numbered_inputs
from cvr_data.core.parts import artifact_bucket_table
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import KeyedStep, Side, Step
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import file_sha256, json_bytes
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.single_inputs import POOL_VERSION
from cvr_data.tables import MODIFICATIONS, PAIRS, SPLITS, TRIPLETS
from cvr_data.triplets import join
from cvr_data.triplets.answers import ANSWERS, FURTHER_ANSWERS, triplet_answers_config, triplets_with_all_answers
from cvr_data.triplets.card import Card, card_commands, card_example_rows, render_card
from cvr_data.triplets.claims import FOLDER, IS_TEST
from cvr_data.triplets.composition import CompositionConfig, triplet_composition_manifest, triplets_with_composition
from cvr_data.triplets.counted import count_triplets
from cvr_data.triplets.join import ORDER, VERSION, Config, SourceFolder
from cvr_data.triplets.joining import triplet_distractor_inputs
from cvr_data.triplets.judgments import Verdicts, join_judged_triplets, triplet_verdicts_of_folder
from cvr_data.triplets.split_csvs import write_triplet_csv_splits
from cvr_data.videos.kin import shared_video_kin

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
    needs_both: bool = False
    """Drop val and test queries that one input alone solves (`triplets.composition`)."""
    distractors: tuple[Path, ...] = ()
    """Mined for these queries as they were built before; they join the galleries that this is asked of."""

    def named(self) -> dict[str, Path]:
        """Return input name -> folder as manifests list them: pairs, pairs-2, ..."""
        named: dict[str, Path] = {}
        for name in ("modifications", "pairs", "videos"):
            folders = _distinct([*getattr(self, name), *(getattr(self.tests, name) if self.tests else ())])
            named |= numbered_inputs(name, folders)
        if self.embeddings is not None:
            named["embeddings"] = self.embeddings
            if (self.embeddings / "heads" / "manifest.json").exists():
                named["heads"] = self.embeddings / "heads"
        if self.judgments is not None:
            named["judgments"] = self.judgments
        return named


def find_triplet_parts(
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


def triplets_with_tests(sources: DatasetParts, modifications: Sequence[Path]) -> DatasetParts:
    """Return the sources with others that alone give the test triplets.

    Raises:
        CvrError: a folder is no modifications artifact, gives both, or points at something gone or changed.
    """
    tests = find_triplet_parts(modifications)
    both = {path.resolve() for path in sources.modifications} & {path.resolve() for path in tests.modifications}
    if both:
        raise CvrError(f"{first_few(sorted(map(str, both)))} cannot give the training and the test triplets.")
    return replace(sources, tests=tests)


def triplet_dataset_name(sources: DatasetParts) -> str:
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
    judged_only = {"judged_only": True} if sources.judged_only else {}
    required = {"require": {"composition": POOL_VERSION}} if sources.needs_both else {}
    if sources.needs_both and (sources.embeddings is None or not _all_videos(sources)):
        raise CvrError("composition is asked of videos and their features: pass --embeddings, and --videos if need be.")
    asked = {**config_dict(config), "name": name, **tested, **judged_only, **required}
    run = StageRun(
        out, stage=STAGE, version=VERSION, config=asked,
        inputs={**sources.named(), **triplet_distractor_inputs(sources.distractors)}, overwrite=overwrite,
    )  # fmt: skip
    if (done := run.finished()) is not None:
        return done
    artifacts = lineage(sources.named().values())
    made_of = MadeOf(
        lineage=artifacts,
        funnel=lineage_funnel(artifacts),
        commands=[*card_commands(artifacts), running_command()],
        versions=installed_versions(),
    )
    texts_and_pairs = triplet_dataset_flows(run, sources)  # what lacks a column is refused before anything is written
    verdicts = (
        triplet_verdicts_of_folder(sources.judgments, judged_only=sources.judged_only) if sources.judgments else None
    )
    with run:
        triplets = triplet_flow(run, texts_and_pairs, sources, config, verdicts)
        return write_dataset(run, triplets, name, videos=_all_videos(sources), made_of=made_of)


def triplet_dataset_flows(run: StageRun, sources: DatasetParts) -> list[Flow]:
    """Return the texts of each folder, then the pairs of each, as they meet.

    Raises:
        CvrError: a table lacks a column.
    """
    flows: dict[str, list[Flow]] = {"texts": [], "pairs": []}
    for given in (sources, sources.tests):
        for kind, folders in (("texts", given.modifications), ("pairs", given.pairs)) if given else ():
            schema, step = (MODIFICATIONS, join.texts_to_join) if kind == "texts" else (PAIRS, join.pairs_to_join)
            for folder in folders:
                source = SourceFolder(path=str(folder), number=len(flows[kind]), is_test=given is sources.tests)
                required = [field.name for field in schema if not field.nullable]
                rows = run.read(folder, join.TEXT_COLUMNS if kind == "texts" else None, required)
                flows[kind].append(rows.then(Step(name=kind, run=step, config=source, is_counted=False)))
    return [*flows["texts"], *flows["pairs"]]


def triplet_flow(
    run: StageRun, texts_and_pairs: Sequence[Flow], sources: DatasetParts, config: Config,
    verdicts: Verdicts | None = None,
) -> Flow:  # fmt: skip
    """Return the triplets of texts and pairs, as they will be written.

    Raises:
        CvrError: judgments are of other texts.
    """
    tests_kin = shared_video_kin(run, _all_videos(sources), sources.embeddings) if sources.tests else None
    first, *others = join.triplet_steps(config, tests_kin=tests_kin)
    assert isinstance(first, KeyedStep)
    if verdicts is not None:
        texts_and_pairs = [join_judged_triplets(run, texts_and_pairs, verdicts, _all_videos(sources))]
    flow = run.meet(texts_and_pairs, first)
    for step in others:
        flow = flow.then(step)
        if step.name == join.KEPT_APART and config.max_answers and sources.videos:
            answers = triplet_answers_config(config.max_answers, config.default_split, verdicts)
            flow = triplets_with_all_answers(run, flow, _video_folders(sources), answers)
    if sources.needs_both and sources.embeddings is not None:
        about = CompositionConfig(
            embeddings=sources.embeddings, k=config.composition_k, default_split=config.default_split
        )
        flow = triplets_with_composition(run, flow, _all_videos(sources), about, sources.distractors)
    if sources.embeddings is not None:
        encoder = Side(_encoder, (sources.embeddings,))
        flow = flow.then(Step(name="frame scores", run=_scored, sides=(encoder,), is_counted=False))
    return flow.then(Step(name="columns", run=_without_own, is_counted=False))


@dataclass(frozen=True, kw_only=True)
class MadeOf:
    """Where a dataset comes from, for its card and manifest."""

    lineage: Sequence[Artifact]
    funnel: Sequence[FunnelStep]
    commands: Sequence[str]
    versions: Mapping[str, str]


def write_dataset(
    run: StageRun, triplets: Flow, name: str, *, videos: Sequence[Path], made_of: MadeOf,
    sort_by: Sequence[str] = ORDER, coverage_of: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> Artifact:  # fmt: skip
    """Write parts, CSVs, statistics and the card of an open run, and finish it.

    The steps of this run are added to `made_of`; `coverage_of` compares its numbers with those of the dataset before,
    where this is one of which some was dropped.

    A dataset of no triplet has its parts and manifest alone.
    """
    rows = run.write_parts(triplets, TRIPLETS, sort_by=sort_by)
    own = [FunnelStep.from_json(entry, run.stage) for entry in run.counts.funnel()]
    made_of = replace(made_of, funnel=[*made_of.funnel, *own])
    if not run.written:
        return run.finish(name=name, funnel=[step.as_json() for step in made_of.funnel])
    numbers, sources = count_triplets(run, rows, videos)
    extra: dict[str, Any] = {} if coverage_of is None else {"coverage": coverage_of(numbers)}
    if any(step.name == ANSWERS for step, _ in run.counts.counted):
        extra[FURTHER_ANSWERS] = run.told[FURTHER_ANSWERS]
    extra |= triplet_composition_manifest(dict(run.told))
    names = {split: f"webvid_covr_{split}.csv" for split in SPLITS if split in numbers["splits"]}
    write_triplet_csv_splits(run, rows, names)
    run.writer.write_file("statistics.json", json_bytes(numbers))
    paths = [path for path in sorted(run.out.iterdir()) if path.suffix in (".parquet", ".csv", ".json")]
    card = Card(
        name=name,
        triplets=_examples(run, rows),
        numbers=numbers,
        funnel=made_of.funnel,
        lineage=made_of.lineage,
        sources=sources,
        configs={"default": names},
        files={path.name: file_sha256(path) for path in paths if path.name != "running.json"},
        versions=made_of.versions,
        commands=list(dict.fromkeys(made_of.commands)),
        coverage=extra.get("coverage"),
        composition=extra.get("composition", {}),
        further_answers=extra.get(FURTHER_ANSWERS),
    )
    run.writer.write_file("README.md", render_card(card).encode())
    return run.finish(name=name, funnel=[step.as_json() for step in made_of.funnel], **extra)


def _examples(run: StageRun, rows: Flow) -> pa.Table:
    drawn = rows.then(Step(name="examples", run=card_example_rows, makes_rows=True, is_counted=False))
    return artifact_bucket_table(*run.side(drawn, artifact_bucket_table).arguments)


def _distinct(folders: Iterable[Path]) -> tuple[Path, ...]:
    return tuple({folder.resolve(): folder for folder in folders}.values())


def _all_videos(sources: DatasetParts) -> tuple[Path, ...]:
    return _distinct([*sources.videos, *(sources.tests.videos if sources.tests else ())])


def _video_folders(sources: DatasetParts) -> list[tuple[Path, bool]]:
    """Return the folders of videos, and whether those are of sources that alone give the test."""
    tests = sources.tests.videos if sources.tests else ()
    return [*((folder, False) for folder in sources.videos), *((folder, True) for folder in tests)]


def _encoder(embeddings: Path) -> Any:
    return ENCODERS.get("stored").load(ENCODERS.config("stored", {"embeddings": embeddings}))


def _scored(config: Any, triplets: pa.Table, encoder: Any) -> pa.Table:
    """Return the triplets with their frame scores; sorted, so that they are encoded beside the same others."""
    from cvr_data.features.frame_scores import with_frame_scores

    return with_frame_scores(
        triplets.sort_by([(name, "ascending") for name in ORDER]), encoder, encoder.store.video_ids
    )


def _without_own(config: Any, triplets: pa.Table) -> pa.Table:
    return triplets.drop_columns([FOLDER, IS_TEST])
