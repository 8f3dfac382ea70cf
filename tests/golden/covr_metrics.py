"""The metrics of WebVid-CoVR, FashionIQ and CIRCO, from the same features."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from cvr_bench.models.parts.retriever import DenseRetriever
from cvr_bench.scoring.evaluate import Ranks, evaluate
from cvr_bench.scoring.metrics import average_precision, mean_recall, recall
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.media.video import Video
from tests.golden import Arrays, Comparison

KS = (1, 5, 10, 50)
MEANS = {"meanR3": (1, 5, 10), "meanR4": KS}
TOLERANCE = 1e-9
"""The references round to two decimals, and so do we."""


def claims(arrays: Arrays) -> bool:
    """Return whether the file is of this kind."""
    return any(map(covers, arrays))


def covers(name: str) -> bool:
    """Return whether an array belongs to this kind."""
    return name.split(".")[0] in ("webvid", "fiq", "circo")


def compare(arrays: Arrays) -> list[Comparison]:
    """Return each metric of the benchmarks that the file holds."""
    benchmarks = {"webvid": _webvid, "fiq": _fashioniq, "circo": _circo}
    return [
        comparison
        for name, benchmark in benchmarks.items()
        if any(key.startswith(f"{name}.") for key in arrays)
        for comparison in benchmark(arrays)
    ]


def _webvid(arrays: Arrays) -> list[Comparison]:
    ids, references = arrays["webvid.target_id"].tolist(), arrays["webvid.reference_id"].tolist()
    compared = []
    for key, protocol in (
        ("webvid.recalls_json", Protocol(gallery="targets")),
        ("webvid.recalls_self_similarity_json", Protocol(gallery="targets", reference="keep")),
    ):
        ranks = _ranks(arrays, "webvid", ids, references, [[name] for name in ids], protocol)
        compared += _compared(arrays, key, {f"R{k}": recall(ranks.rank, k) for k in KS})
        compared += _compared(arrays, key, {name: mean_recall(ranks.rank, ks) for name, ks in MEANS.items()})
    return compared


def _fashioniq(arrays: Arrays) -> list[Comparison]:
    references, targets = arrays["fiq.reference_index"].tolist(), arrays["fiq.target_index"].tolist()
    ids = list(range(len(arrays["fiq.gallery"])))
    ranks = _ranks(arrays, "fiq", ids, references, [[target] for target in targets])
    return _compared(arrays, "fiq.recalls_json", {f"R{k}": recall(ranks.rank, k) for k in KS})


def _circo(arrays: Arrays) -> list[Comparison]:
    ids, references = arrays["circo.gallery_id"].tolist(), arrays["circo.reference_id"].tolist()
    truths = json.loads(str(arrays["circo.ground_truths_json"]))
    found = _ranks(arrays, "circo", ids, references, truths).target_ranks.to_pylist()
    first = _ranks(arrays, "circo", ids, references, [truth[:1] for truth in truths])  # the target the text was for
    ks = (5, 10, 25, 50)
    return [
        *_compared(
            arrays,
            "circo.map_json",
            {str(k): float(np.mean([average_precision(ranks, k) for ranks in found])) for k in ks},
        ),
        *_compared(arrays, "circo.recall_json", {str(k): recall(first.rank, k) for k in ks}),
    ]


def _ranks(
    arrays: Arrays,
    name: str,
    ids: Sequence[int],
    references: Sequence[int],
    targets: Sequence[Sequence[int]],
    protocol: Protocol | None = None,
) -> Ranks:
    """Our ranks of the benchmark's features."""
    queries_QD = torch.from_numpy(arrays[f"{name}.query"])
    gallery = dict(zip(map(str, ids), torch.from_numpy(arrays[f"{name}.gallery"]), strict=True))
    task = Task(
        name=name,
        queries=[
            Query(str(row), Item(str(reference), Video(str(reference))), "") for row, reference in enumerate(references)
        ],
        gallery=[Item(item_id, Video(item_id)) for item_id in gallery],
        targets={str(row): frozenset(map(str, names)) for row, names in enumerate(targets)},
        protocol=protocol or Protocol(),
    )
    retriever = DenseRetriever(
        lambda queries: queries_QD[[int(query.query_id) for query in queries]],
        lambda videos: torch.stack([gallery[video.video_id] for video in videos]),
    )
    return evaluate(retriever, task)


def _compared(arrays: Arrays, key: str, found: Mapping[str, float]) -> list[Comparison]:
    expected = json.loads(str(arrays[key]))
    return [
        Comparison(
            name=f"{key.removesuffix('_json')} {name}",
            expected=np.array(expected[name]),
            found=np.array(round(value, 2)),
            tolerance=TOLERANCE,
        )
        for name, value in found.items()
    ]
