"""Which triplets to score, and where the features and the split of their videos lie.

A triplets folder names what it was made from, and that names what it was made from in turn, so `embeddings` and
`videos` are found by following manifests, nearest first. A data set that ships without them, because its corpus can be
made again, has them made once, about a minute for the sample, and kept in the cache folder.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cvr_data
from cvr_bench.benchmarks.triplets import STAGES, check_benchmark_triplets
from cvr_bench.data.benchmark import data_option_names, find_benchmark_data, is_benchmark_data
from cvr_bench.data.hub import choose_data_on_hub, is_hub_data_name, is_hub_retrieval_data
from cvr_bench.data.opened import Sources
from cvr_data.core.artifact_files import MANIFEST, read_json_once
from cvr_data.core.artifacts import artifact_key, open_artifact
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.lineage import follow
from cvr_data.core.model_packages import cache_folder
from cvr_data.core.registry import split_key_value_options
from cvr_data.download.hub_set import hub_set_folder
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos

FOLDER = "annotations"
SAMPLE = "synthetic"
"""Name of the packaged sample in the annotations folder."""
DEPTH = 4
"""How far below the current folder an annotations folder is looked for."""

REFERENCES = ("exclude", "keep")


def newest_data(root: Path) -> Path | None:
    """Return the triplets folder finished last, in `root`/annotations or another annotations folder below."""
    packaged = (sample_data_folder() / SAMPLE).resolve()
    folders = [path for folder in _annotation_folders(root) for path in (folder, *sorted(folder.iterdir()))]
    found = [(key, path) for path in folders if path.resolve() != packaged and (key := _age_of_data(path))]
    return max(found)[1] if found else None


def find_data_sources(data: Path, choice: str, embeddings: Path | None = None) -> Sources:
    """Return the triplets with the features and videos they were made from.

    Those of a data set that ships without them are made again, once.

    Raises:
        CvrError: there are no triplets, or their features are not known.
    """
    check_benchmark_triplets(data)
    corpus = corpus_of_data(data)
    if corpus is not None:
        if embeddings is not None:
            return Sources(data=data, embeddings=embeddings, videos=follow(embeddings, "videos"), choice=choice)
        remade = remake_data(corpus, cache_folder())
        return Sources(data=data, embeddings=remade.embeddings, videos=(remade.videos,), choice=choice)
    found = (embeddings,) if embeddings else follow(data, "embeddings")
    if not found:
        raise CvrError(f"{data} does not say where its videos' features are; pass --embeddings (see cvr embed).")
    videos = follow(data, "videos") or follow(found[0], "videos")
    return Sources(data=data, embeddings=found[0], videos=videos, choice=choice)


def choose_data_sources(
    data: str | None, data_options: Sequence[str], embeddings: Path | None, split: str | None = None
) -> Sources:
    """Return what `--data` names: a path, a benchmark or a data set on the Hub; without it the triplets built last.

    Raises:
        CvrError: it is neither, its options are wrong, or its features are not known.
    """
    if data is not None and is_benchmark_data(data):
        named = find_benchmark_data(data, data_options, split)
        if embeddings is None:
            raise CvrError(f"{named.name} comes without features of its videos; pass --embeddings (see cvr embed).")
        place, choice = named.config.annotations, f"--data {named.name}"
        return Sources(data=place, embeddings=embeddings, videos=(), choice=choice, benchmark=named)
    if data is not None and is_hub_data_name(data) and is_hub_retrieval_data(data, cache_folder()):
        return _sources_of_set(data, data_options, embeddings, split)
    reference = _reference_of_triplets(data_options)
    if data is not None and is_hub_data_name(data):
        found = find_data_sources(choose_data_on_hub(data, cache_folder()), f"--data {data}", embeddings)
        return replace(found, reference=reference)
    if data is not None and not Path(data).exists():
        raise CvrError(f"{data} is no path here and no benchmark. {did_you_mean(data, data_option_names())}")
    chosen, choice = (Path(data), "--data") if data is not None else default_data(Path())
    return replace(find_data_sources(chosen, choice, embeddings), reference=reference)


def _sources_of_set(data: str, data_options: Sequence[str], embeddings: Path | None, split: str | None) -> Sources:
    """A retrieval set of the Hub, as the benchmark `vt2v` and called by its own name."""
    if any(option.startswith("annotations=") for option in data_options):
        raise CvrError(
            f"--data {data} names the set; leave out -D annotations=, or name the folder alone: --data vt2v."
        )
    if embeddings is None:
        raise CvrError(
            f"{data} comes without features of its videos: cvr import vt2v {data}, cvr embed, then --embeddings."
        )
    name = data.removeprefix("hf:")
    folder = hub_set_folder(Path(name))
    named = find_benchmark_data("vt2v", [f"annotations={folder}", *data_options], split)
    label = named.label.replace("vt2v", name.partition("@")[0].replace("/", "-"), 1)
    return Sources(
        data=folder, embeddings=embeddings, videos=(), choice=f"--data {data}", benchmark=replace(named, label=label)
    )


def _reference_of_triplets(data_options: Sequence[str]) -> str:
    """The one option that triplets of ours have: what becomes of a query's own video."""
    options = split_key_value_options(data_options, "--data-option")
    reference = options.pop("reference", "exclude")
    if options:
        raise CvrError(
            f"Triplets take -D reference=keep alone; {', '.join(options)} belongs to a benchmark named by --data: "
            f"{', '.join(data_option_names())}."
        )
    if reference not in REFERENCES:
        raise CvrError(f"--data-option reference: {reference!r} should be {' or '.join(REFERENCES)}.")
    return reference


def data_with_distractors(sources: Sources, folders: Sequence[Path]) -> Sources:
    """Return the sources with distractors in their gallery. Raises CvrError: a benchmark's gallery is its own."""
    if folders and sources.benchmark is not None:
        raise CvrError(f"{sources.benchmark.name} has a gallery of its own; --distractors belong to triplets of ours.")
    return replace(sources, distractors=tuple(folders))


def default_data(root: Path) -> tuple[Path, str]:
    """Return the triplets to score when none are named, and why these.

    Raises:
        CvrError: none were built and no sample is packaged.
    """
    built = newest_data(root)
    if built is not None:
        return built, "the triplets built last"
    sample = sample_data_folder() / SAMPLE
    if not sample.exists():
        raise CvrError(f"There are no triplets below {root}; name some with --data, or make them: cvr quickstart")
    return sample, "the packaged sample, as no triplets were built here"


def sample_data_folder() -> Path:
    """Return the folder of packaged annotations: inside the installed package, or of the checkout."""
    package = Path(cvr_data.__file__).resolve().parent
    packaged = package / FOLDER
    return packaged if packaged.is_dir() else package.parent / FOLDER


def _annotation_folders(root: Path) -> Iterator[Path]:
    for folder, names, _ in os.walk(root):
        here = Path(folder)
        if here.name == FOLDER:
            yield here
        depth = len(here.relative_to(root).parts)
        names[:] = sorted(name for name in names if not name.startswith(".")) if depth < DEPTH else []


def _age_of_data(path: Path) -> tuple[str, int] | None:
    """When a triplets folder was finished; None for anything else."""
    manifest = path / MANIFEST
    if not manifest.is_file():
        return None
    try:
        content = read_json_once(manifest)
    except CvrError:
        return None
    is_triplets = content["stage"] in STAGES and "finished" in content
    return (content["finished"], manifest.stat().st_mtime_ns) if is_triplets else None


@dataclass(frozen=True)
class Remade:
    """The folders of a corpus made again."""

    videos: Path
    embeddings: Path


def corpus_of_data(data: Path) -> Mapping[str, Any] | None:
    """Return the name and options of the corpus a data set can be made from again; None where it does not say.

    A manifest says so, as the packaged sample's does: "corpus": {"name": "synthetic", "options": {"train": 400, ...}}.
    """
    return open_artifact(data).manifest.get("corpus") if (data / MANIFEST).is_file() else None


def remade_data_folder(corpus: Mapping[str, Any], cache: Path) -> Path:
    """Return where the videos and features of a corpus are kept."""
    return cache / "corpora" / f"{corpus['name']}-{artifact_key(corpus)[:12]}"


def remake_data(corpus: Mapping[str, Any], cache: Path, encoder: str = "embedded") -> Remade:
    """Return the videos and features of a corpus, making what is not in the cache yet.

    Raises:
        CvrError: unknown corpus or options.
    """
    folder = remade_data_folder(corpus, cache)
    config = CORPORA.config(corpus["name"], corpus["options"])
    videos = import_videos(CORPORA.get(corpus["name"]), config, folder / "videos")
    features = embed(videos.path, encoder, ENCODERS.config(encoder), folder / "embeddings")
    manifest = open_artifact(features.path).manifest
    if manifest["dim"] != manifest["text_dim"]:
        from cvr_data.features.fit_heads import Config, fit_heads

        fit_heads(features.path, videos.path, Config())
    return Remade(videos=videos.path, embeddings=features.path)
