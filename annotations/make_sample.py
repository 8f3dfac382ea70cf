"""The published sample, annotations/synthetic: triplets of the synthetic world, made again from a seed.

    python annotations/make_sample.py annotations/synthetic

The texts are those of the `rules` backend and of the truth. Nothing that a machine could round otherwise is in it: no
media, no similarities of an encoder, no times. The clips and their features are made again from the corpus that the
manifest names, so `cvr bench` scores on the sample wherever nothing else was built.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cvr_data.core.artifacts import MANIFEST, Artifact, open_artifact
from cvr_data.core.lineage import lineage, lineage_funnel
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.whole_files import json_bytes, write_bytes
from cvr_data.modifications import generate as generation
from cvr_data.modifications.truth_texts import write_truth_modifications
from cvr_data.pairs.mine_pairs import mine_pairs, parse_mining_filter, strategy_of
from cvr_data.triplets.build import (
    STAGE,
    DatasetParts,
    MadeOf,
    dataset_flows,
    find_triplet_parts,
    triplet_flow,
    write_dataset,
)
from cvr_data.triplets.join import VERSION, Config
from cvr_data.videos.corpora import CORPORA
from cvr_data.videos.import_videos import import_videos

NAME = "synthetic"
WORLD = {"train": 400, "val": 60, "test": 300, "seed": 0}
CORPUS = {"name": NAME, "options": WORLD}
FILTERS = ("straddling", "min-words", "max-words", "digits", "templates", "invisible-change",
           "caption-pair-cap")  # fmt: skip
"""The default ones without the band of text similarity, which depends on an encoder."""
COMMANDS = (
    "cvr import synthetic -O videos",
    f"cvr mine-pairs videos -O pairs {' '.join(f'--filter {name}' for name in FILTERS)}",
    "cvr generate-modifications pairs --style short --llm rules -O modifications/short-rules",
    "cvr truth-modifications pairs -O modifications/truth",
    "cvr build-triplets modifications/short-rules modifications/truth --name synthetic",
)
OF_THE_RUN = ("finished", "seconds", "versions", "command")


def write_sample(out: Path) -> Artifact:
    """Write the sample into an empty folder and return it; the same bytes on any machine, but for Parquet's version."""
    with TemporaryDirectory(prefix="cvr-sample-") as temporary:
        sources = _build(Path(temporary))
        artifacts = lineage(sources.named().values())
        made_of = MadeOf(lineage=artifacts, funnel=lineage_funnel(artifacts), commands=COMMANDS, versions={})
        config = {**config_dict(Config()), "name": NAME, "corpus": CORPUS}
        run = StageRun(out, stage=STAGE, version=VERSION, config=config, inputs={}, overwrite=False)
        with run:
            triplets = triplet_flow(run, dataset_flows(run, sources), sources, Config())
            write_dataset(run, triplets, NAME, videos=sources.videos, made_of=made_of)
    return _without_the_run(out)


def _build(work: Path) -> DatasetParts:
    """Run the pipeline in a folder up to the texts, without rendering a clip or encoding anything."""
    options = {name: str(value) for name, value in WORLD.items()} | {"render": "false"}
    import_videos(CORPORA.get(NAME), CORPORA.config(NAME, options), work / "videos")
    filters = [parse_mining_filter(name) for name in FILTERS]
    mine_pairs(work / "videos", None, strategy_of("one-word", ()), filters, work / "pairs", overwrite=False)
    config = generation.Config(prompt="short", backend="rules")
    generation.generate_modifications(work / "pairs", work / "rules", config, cache=work / "cache.sqlite")
    write_truth_modifications(work / "pairs", work / "truth")
    return find_triplet_parts([work / "rules", work / "truth"])


def _without_the_run(out: Path) -> Artifact:
    """Take out of the manifest what differs from run to run, name the corpus, and return the artifact."""
    manifest = {name: value for name, value in open_artifact(out).manifest.items() if name not in OF_THE_RUN}
    fixed = {"command": f"python annotations/make_sample.py annotations/{NAME}", "seconds": 0, "versions": {}}
    write_bytes(out / MANIFEST, json_bytes({**manifest, **fixed, "corpus": CORPUS}))
    return open_artifact(out)


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]))
