"""One encoder, scored by us and by mteb itself on the same films: equal numbers under MTEB's rules."""

import importlib.util
import json
import sys

import pytest

from cvr_data.core.trust import naming
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from tests.native_embedders import LastGrey, write_film_triplets, write_films

if importlib.util.find_spec("mteb") is None:
    pytest.skip("`make test-embedders` makes an environment with mteb", allow_module_level=True)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]
MODEL = "tests.native_embedders:LastGrey"
MISSED = (("rising", "darker", "grey"), ("bright", "turn it round", "dark"), ("falling", "brighter", "rising"))
"""Queries whose target the model does not rank first."""
SHARED = ("ndcg", "map", "recall", "precision", "mrr", "hit_rate")


class OnFiles(LastGrey):
    """The model on mteb's rows, whose videos are bytes as the exported Parquet has them: no torchcodec is needed."""

    def __init__(self, folder):
        super().__init__()
        from mteb.models import ModelMeta

        self.folder = folder
        self.mteb_model_meta = ModelMeta.create_empty(
            {"name": "films/last-grey", "revision": "1", "modalities": ["text", "video"]}
        )

    def collate(self, rows):
        from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
        from cvr_data.features.encoders.networks.loader_model import FrameDecoder
        from cvr_data.media.clip import Clip
        from cvr_data.media.video import read_frames_and_note

        for row in rows:
            clip = Clip(self.folder / row["video"]["path"])
            assert clip.path.read_bytes() == row["video"]["bytes"]
            row["video"] = FrameDecoder(EmbeddingInput(None, read_frames_and_note(clip, 8), clip))
        return super().collate(rows)

    def similarity(self, first, second):
        import torch
        import torch.nn.functional as F

        first, second = (F.normalize(torch.as_tensor(each).float(), dim=-1) for each in (first, second))
        return first @ second.T

    def similarity_pairwise(self, first, second):
        return self.similarity(first, second).diagonal()


def exported_task(folder):
    """The task of task.py, with the rows of the folder in the place of what it would fetch from the Hub."""
    from datasets import Video, load_dataset
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData

    sys.path.insert(0, str(folder))
    try:
        from benchmark import CVR  # the file that the export wrote
    finally:
        sys.path.remove(str(folder))
    assert CVR.name == "CVR"
    (task,) = CVR.tasks
    # The cache knows a folder by its name alone, and another export of that name would be taken for this one.
    corpus, queries, qrels = (
        load_dataset(str(folder), name, split="test", cache_dir=str(folder.parent / "cache"))
        for name in ("corpus", "queries", "qrels")
    )
    relevant = {}
    for row in qrels:
        relevant.setdefault(row["query-id"], {})[row["corpus-id"]] = row["score"]
    films = [rows.cast_column("video", Video(decode=False)) for rows in (corpus, queries)]
    split = RetrievalSplitData(corpus=films[0], queries=films[1], relevant_docs=relevant, top_ranked=None)
    task.dataset, task.data_loaded = {"default": {"test": split}}, True
    return task


def test_mteb_and_we_score_the_same_encoder_alike(cvr, tmp_path):
    import mteb
    from mteb.results import TaskResult

    videos, data = write_films(tmp_path), write_film_triplets(tmp_path, also=MISSED)
    with naming([MODEL]):
        embed(videos, "embedder", ENCODERS.config("embedder", {"model": MODEL}), tmp_path / "vectors")
    words = ("--trust", MODEL, "bench", "--model", "embedder", "--data", data, "-e", tmp_path / "vectors")
    done = cvr(*words, "--save-scores", "--no-audit", "-O", tmp_path / "results")
    assert done.code == 0, done.err
    done = cvr("export", data, "--format", "mteb-vt2v", "--out", tmp_path / "exported", "-o", "repo=lab/films")
    assert done.code == 0, done.err
    made = tmp_path / "ours.json"
    words = ("export-result", tmp_path / "results" / "embedder-triplets", "--format", "mteb", "--rules", "mteb")
    assert cvr(*words, "--revision", "main", "-O", made).code == 0

    task = exported_task(tmp_path / "exported")
    found = mteb.evaluate(OnFiles(tmp_path / "media"), [task], cache=None, show_progress_bar=False)
    (theirs,) = found.task_results[0].scores["test"]
    ours = TaskResult.from_disk(made).scores["test"][0]
    compared = [f"{name}_at_{k}" for name in SHARED for k in (1, 3, 5, 10)]
    assert len({theirs[name] for name in compared}) > 8, "a perfect ranking would show nothing"
    assert {name: theirs[name] for name in compared} == pytest.approx({name: ours[name] for name in compared}, abs=1e-5)
    assert ours["cvr"] == {
        "ties": "by id, last first", "reference": "keep", "gallery": "split", "sampler": "fps@2", "frames": 64,
    }  # fmt: skip
    chance = json.loads((tmp_path / "exported" / "random_baseline.json").read_text())["test"]
    assert theirs["ndcg_at_10"] > chance["ndcg_at_10"]
