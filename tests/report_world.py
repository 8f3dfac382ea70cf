"""A small rendered world with triplets of three sources of text and results of six models, for tests of the report.

Pairs are read off the truth of the clips and ranks come from `evaluate` on the clips' concepts, so everything is
written through the real interfaces while nothing is encoded or trained.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from cvr_bench.benchmarks import triplets as triplets_dataset
from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.results.result import write_result
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.task import Query, Task
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.versions import installed_versions
from cvr_data.tables import MODIFICATIONS, PAIRS, VIDEOS, modification_id
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config
from cvr_data.videos.corpora import synthetic
from tests.dataset_folders import mined_pair, write_artifact

SLOTS = ("object", "colour", "texture", "size", "scene", "action", "camera")
KIND = {"action": "action", "camera": "action"}
SLOT = {"colour": "attribute", "texture": "attribute", "size": "attribute", "camera": "action"}
SENTENCES = {
    "rules": "replace {before} with {after}",
    "truth": "the same, but {after} instead of {before}",
    "transformers": "make it {after}",
}
MODELS = {
    "fdca": (1.0, 1.0, 0.9),
    "combiner": (1.0, 0.8, 1.1),
    "sum": (0.8, 0.8, 1.8),
    "visual-only": (1.0, 0.0, 1.0),
    "text-only": (0.0, 1.0, 1.0),
    "random": (0.0, 0.0, 1.0),
}
"""Model -> weight of the reference, weight of the text, noise."""


def make_world(folder: Path, *, train: int = 12, val: int = 6, test: int = 40, size: int = 32) -> Path:
    """Write videos, pairs, texts and triplets below the folder and return the triplets folder."""
    config = synthetic.Config(train=train, val=val, test=test, size=size, workers=1)
    with ArtifactWriter(folder / "videos", stage="import-synthetic", config={"seed": 0}) as writer:
        tables = list(synthetic.load(config, folder / "videos"))
        table = check_columns(pa.concat_tables(tables), VIDEOS, "videos")
        unreadable = table.slice(0, 2).append_column("drop_reason", pa.array(["unreadable_video", "zero_frames"]))
        writer.write_part(0, table.slice(2), dropped=unreadable)
        writer.finish()
    write_pairs(folder)
    texts = [write_texts(folder, backend) for backend in SENTENCES]
    out = folder / "annotations" / "small-world"
    build_triplets(find_triplet_parts(texts), out, Config(max_per_target=4), name="small-world")
    return out


def write_pairs(folder: Path) -> None:
    truth = pq.read_table(folder / "videos" / synthetic.TRUTH).to_pylist()[2:]
    rows = [
        pair_row(reference, target, changed[0])
        for reference in truth
        for target in truth
        if reference["split"] == target["split"]
        and len(changed := [slot for slot in SLOTS if reference[slot] != target[slot]]) == 1
    ]
    few = max(1, len(rows) // 20)
    funnel = [
        {"step": "one_word", "in": len(rows) + 5 * few, "out": len(rows) + 5 * few, "dropped": {}},
        {"step": "max_words", "in": len(rows) + 5 * few, "out": len(rows) + 4 * few, "dropped": {"too_long": few}},
        {
            "step": "text_similarity",
            "in": len(rows) + 4 * few,
            "out": len(rows),
            "dropped": {"below_similarity_band": 3 * few, "above_similarity_band": few},
        },
    ]
    with ArtifactWriter(folder / "pairs", stage="mine-pairs", inputs={"videos": folder / "videos"}) as writer:
        writer.write_part(0, check_columns(pa.Table.from_pylist(rows), PAIRS, "pairs"))
        writer.finish(funnel=funnel)


def pair_row(reference: dict, target: dict, slot: str) -> dict:
    captions = (reference["caption"], target["caption"])
    change = {"kind": KIND.get(slot, "static"), "slot": SLOT.get(slot, slot)}
    changes = [{**change, "before": reference[slot], "after": target[slot]}]
    about = {"changes": changes, "text_similarity": 0.9, "split": reference["split"]}
    return mined_pair((reference["video_id"], target["video_id"]), captions, **about)


def write_texts(folder: Path, backend: str) -> Path:
    rows = []
    for number, pair in enumerate(pq.read_table(folder / "pairs" / "part-00000.parquet").to_pylist()):
        identity = {"pair_id": pair["pair_id"], "style": "short", "backend": backend, "model": backend,
                    "prompt_sha256": "0" * 64, "seed": 0}  # fmt: skip
        is_bad = backend == "transformers" and number % 9 == 4
        rows.append(
            {
                **identity,
                "modification_id": modification_id(**identity),
                "modification": SENTENCES[backend].format(**pair["changes"][0]),
                "prompt": "short",
                "status": "rejected" if is_bad else "ok",
                "reasons": ["copied" if number % 2 else "no_op"] if is_bad else [],
            }
        )
    path = folder / "modifications" / f"short-{backend}"
    return write_artifact(path, "generate-modifications", rows, MODIFICATIONS, pairs=folder / "pairs")


def write_results(folder: Path, triplets: Path, models: Sequence[str] = tuple(MODELS)) -> list[Path]:
    """Score the models on the triplets and return the result folders."""
    task = triplets_dataset.load(triplets_dataset.Config(data=triplets, videos=(folder / "videos",)))
    return [write_one(folder, triplets, task, model) for model in models]


def write_one(folder: Path, triplets: Path, task: Task, model: str) -> Path:
    out = folder / "results" / model
    inputs = {"triplets": triplets, "videos": folder / "videos"}
    about = {
        "model": model,
        "options": {"hidden": 64} if model in ("fdca", "combiner") else {},
        "parameters": 12_345 if model in ("fdca", "combiner") else 0,
        "data": {"path": str(triplets), "embeddings": "embeddings", "split": "test"},
        "training": None,
        "seconds": {"train": 3.25, "score": 0.5},
        "command": f"cvr bench --model {model} --data annotations/small-world -O results/{model}",
        "versions": installed_versions(),
    }
    with ArtifactWriter(out, stage="bench", config={"model": model}, inputs=inputs) as writer:
        if about["parameters"]:
            writer.write_file("training/training.csv", training_log().encode())
        write_result(writer, task, evaluate(concept_retriever(folder, triplets, model), task), 0, about)
    return out


def training_log(epochs: int = 8) -> str:
    lines = ["epoch,loss,contrastive,lr,seconds,triplets_per_s,R@1,R@5,R@10,mean"]
    for epoch in range(1, epochs + 1):
        loss, recall = 3.0 / epoch + 0.4, 40 - 30 / epoch
        lines.append(f"{epoch},{loss},{loss * 0.7},0.001,0.5,800,{recall},{recall + 20},{recall + 30},{recall + 25}")
    return "\n".join(lines) + "\n"


def concept_retriever(folder: Path, triplets: Path, model: str) -> DenseRetriever:
    """Rank by one-hot concepts plus noise: what a model would do that sees the clips more or less well."""
    truth = {row["video_id"]: row for row in pq.read_table(folder / "videos" / synthetic.TRUTH).to_pylist()}
    values = sorted({(slot, row[slot]) for row in truth.values() for slot in SLOTS}, key=str)
    changes = {row["query_id"]: row["changes"][0] for row in pq.read_table(triplets / "part-00000.parquet").to_pylist()}
    keep, follow, noise = MODELS[model]
    generator = torch.Generator().manual_seed(0)

    def concept(video_id: str) -> Tensor:
        return torch.tensor([float(truth[video_id][slot] == value) for slot, value in values])

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        rows = []
        for query in queries:
            after = torch.tensor([float(value == changes[query.query_id]["after"]) for _, value in values])
            before = torch.tensor([float(value == changes[query.query_id]["before"]) for _, value in values])
            assert query.reference is not None
            row = keep * concept(query.reference.item_id) + follow * (after - before)
            rows.append(row + noise * torch.randn(len(values), generator=generator))
        return torch.stack(rows)

    return DenseRetriever(encode_queries, lambda videos: torch.stack([concept(video.video_id) for video in videos]))
