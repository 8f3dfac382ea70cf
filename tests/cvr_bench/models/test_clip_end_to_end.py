"""A CLIP fine-tuned on clips: its vectors are the library's, and it learns what rendered clips show."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import MODELS
from cvr_bench.models.clip_end_to_end import ClipNetwork, clip_model_bytes, tiny_clip_model_parts
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.models.parts.clip_loading import model_input_clips
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.metrics import recall
from cvr_bench.tasks.task import Item, Query, Task
from cvr_bench.training.key import MadeBy
from cvr_bench.training.optimizers import SHARE, make_optimizer
from cvr_bench.training.train import TrainConfig, train
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video

pytestmark = pytest.mark.slow

MADE_BY = MadeBy(model="clip-end-to-end", options={}, source="", features={})

COMPONENT = MODELS.get("clip-end-to-end")


def encoder():
    return ENCODERS.get("hash").load(ENCODERS.config("hash", {"dim": "8"}))


def model(**options):
    return COMPONENT.load(COMPONENT.Config(**{"tiny": True, "frames": 1, "workers": 2, **options}), encoder())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Forty-eight small clips as `cvr import synthetic` writes them, and the scene of each."""
    import pyarrow.parquet as pq

    import cli

    folder = tmp_path_factory.mktemp("clips") / "videos"
    words = ["import", "synthetic", "--out", str(folder)]
    options = {"train": 48, "val": 0, "test": 0, "size": 32, "workers": 1}
    assert cli.run([*words, *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]) == 0
    truth = pq.read_table(folder / "truth.parquet").select(["video_id", "scene"]).to_pylist()
    return folder, {row["video_id"]: row["scene"] for row in truth}


def test_its_vectors_are_those_of_the_library():
    torch.manual_seed(0)
    parts = tiny_clip_model_parts()
    network = ClipNetwork(parts.network, parts.preprocessing)
    frames = [np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8) for count in (1, 3)]
    ids_BL, mask_BL = clip_model_bytes(["a red dog", "x"])
    pixels = parts.preprocessing.pixels(torch.from_numpy(np.concatenate(frames)), torch.device("cpu"))
    with torch.no_grad():
        found = network.videos(model_input_clips(frames)), network.texts(ids_BL, mask_BL)
        expected = parts.network(pixel_values=pixels, input_ids=ids_BL, attention_mask=mask_BL.long())
    images = expected.image_embeds
    means = torch.stack([images[0], F.normalize(images[1:].mean(dim=0), dim=-1)])
    assert_close(found[0], means, rtol=1e-5, atol=1e-6)
    assert_close(found[1], expected.text_embeds, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_tiny_clip_learns_the_scenes_of_rendered_clips(world, tmp_path):
    """A third of the clips is held out; the query is the name of a scene, and chance is near one in six."""
    folder, scenes = world
    names = sorted(scenes)
    held = names[::3]
    learned = [name for name in names if name not in held]
    triplets = TrainingSet(
        reference_ids=learned,
        modifications=[scenes[name] for name in learned],
        target_ids=learned,
        target_group_ids=[scenes[name] for name in learned],
    )
    known = sorted({scenes[name] for name in held} & {scenes[name] for name in learned})
    targets = {scene: frozenset(name for name in held if scenes[name] == scene) for scene in known}
    task = Task(
        name="scenes",
        queries=[Query(scene, None, scene) for scene in known],
        gallery=[Item(name, Video(name)) for name in held],
        targets=targets,
    )
    retriever = model(videos=folder, query="text")
    options = TrainConfig(epochs=12, batch_size=16, lr=4e-3, coef_lr=0.5, warmup=0.1, patience=0, validate_every=12)
    before = recall(evaluate(retriever, task).rank, 1)
    report = train(retriever, triplets, task, options, encoder(), tmp_path, made_by=MADE_BY)
    after = recall(evaluate(retriever, task).rank, 1)
    chance = sum(len(ids) for ids in targets.values()) / len(held) / len(known) * 100
    assert report.history[-1]["loss"] < 0.5 * report.history[0]["loss"]
    assert after > max(before, 2 * chance)


def composed(folder):
    """Clips that follow each other, with a text."""
    names = sorted(open_artifact(folder).read().column("video_id").to_pylist())[:9]
    return TrainingSet(
        reference_ids=names[:8],
        modifications=[f"then {number}" for number in range(8)],
        target_ids=names[1:],
        target_group_ids=names[1:],
    )


@pytest.mark.slow
def test_neither_threads_nor_a_resume_change_what_is_learned(world, tmp_path):
    """References are augmented; one thread and three, a run that ends and one that is killed, have the same weights."""
    options = TrainConfig(epochs=2, batch_size=4, lr=1e-3, patience=0, precision="no")

    class Killed(Exception):
        pass

    def weights(out, workers, dies_at=0):
        retriever, steps = model(videos=world[0], workers=workers, frames=2), []
        step = retriever.training_step

        def counted(batch):
            steps.append(batch.clips.reference.frames_BTHWC)
            if len(steps) == dies_at:
                raise Killed
            return step(batch)

        retriever.training_step = counted
        train(retriever, composed(world[0]), None, options, encoder(), tmp_path / out, made_by=MADE_BY)
        return retriever.module.state_dict()

    expected = weights("one", 1)
    with pytest.raises(Killed):
        weights("resumed", 3, dies_at=4)
    found = weights("resumed", 3)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_clip_has_the_smaller_learning_rate():
    optimizer = make_optimizer(model().module, TrainConfig(coef_lr=0.01))
    fast = [len(group["params"]) for group in optimizer.param_groups if SHARE not in group]
    assert fast == [1]  # the weight of texts in queries


def test_a_query_is_video_and_text_or_either(world):
    retriever = model(videos=world[0])
    first, second = sorted(world[1])[:2]
    retriever.index([Item(first, Video(first)), Item(second, Video(second))])
    item = Item(first, Video(first))
    queries = [Query("a", item, "then"), Query("b", None, "then"), Query("c", item, None)]
    both, text, video = (retriever.score([query]) for query in queries)
    assert not torch.equal(both, text)
    assert video[0, 0].item() == pytest.approx(1.0, abs=1e-5)
    alone = model(videos=world[0], query="text")
    alone.index([Item(first, Video(first))])
    assert_close(alone.score(queries[:1]), alone.score(queries[1:2]))


def test_a_video_that_is_not_in_the_table_is_told(world):
    retriever = model(videos=world[0])
    with pytest.raises(CvrError, match=r"has no video 'nobody'; pass -o videos=VIDEOS"):
        retriever.index([Item("nobody", Video("nobody"))])


def test_a_clip_and_videos_are_needed():
    with pytest.raises(ValueError, match="-o clip=MODEL and -o videos=VIDEOS are needed"):
        COMPONENT.Config()
