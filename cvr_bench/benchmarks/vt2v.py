"""Any composed set of the Hub in the layout of MTEB's retrieval (`vt2v`, and `it2v` or `it2i` with pictures).

    cvr bench --model embedder --data whybe-choi/CoVRRVT2VRetrieval@c4c64ba85adf72c1577fcb693dee0b1aa1ac8080 -e features

Configs corpus, queries and qrels, under their various names, and top_ranked, the documents that each query is ranked
against, if there is one; `cvr import vt2v` writes the media that their rows hold. Queries hold the video that they ask
about: it is the document of the same bytes where the set does not name one. Every number from 1 in qrels is relevant.

Paper: Enevoldsen et al., ICLR 2025 (https://arxiv.org/abs/2502.13595). Licence: each set's own; see its card. Files:
https://huggingface.co/datasets, by name: --data user/name@commit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.benchmarks._composed import Composed
from cvr_bench.benchmarks._retrieval_set import benchmark_task_of_set, set_files
from cvr_bench.tasks.task import KS, Task
from cvr_data.download.hub_set import COMMIT
from cvr_data.media.retrieval_set import RetrievalSet

ORIGIN = "https://huggingface.co/datasets"
MAP_KS = (5, 10)


@dataclass(frozen=True, kw_only=True)
class Config(Composed):
    annotations: Path
    """The folder that the repository was downloaded to."""
    task: str = ""
    """Of a set with several, which: `tv2v` takes the configs tv2v-queries and tv2v-qrels."""
    split: str = "test"
    """The split to score; a config that has only one gives that."""
    gallery: Literal["own", "corpus"] = "own"
    """own: the documents that top_ranked lists for each query, where the set has it; corpus: all, for every query."""


EXAMPLE = {"": (3, 5), "gallery=corpus": (3, 5), "task=it2v": (2, 5), "reference=keep": (4, 5)}


def files(config: Config) -> list[Path]:
    return set_files(_set(config), ORIGIN)


def load(config: Config) -> Task:
    files(config)
    own = config.gallery == "own"
    folder = config.annotations.resolve()
    of_hub = COMMIT.fullmatch(folder.name)  # user--name/COMMIT
    words = [folder.parent.name if of_hub else folder.name, config.task or config.split, *(() if own else ("corpus",))]
    return benchmark_task_of_set(
        "-".join(words), _set(config), config.reference, own_galleries=own, ks=KS, map_ks=MAP_KS
    )


def _set(config: Config) -> RetrievalSet:
    return RetrievalSet(folder=config.annotations, task=config.task, split=config.split)
