"""drl and clip4clip: what the modes differ in, both directions, and training."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cvr_bench.models import MODELS
from cvr_bench.models.networks.drl.model import DrlOptions, drl_training_scores
from cvr_bench.models.parts.batches import TrainingSet
from cvr_bench.scoring.blocks import scores_are_exact
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.task import Item, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import TextFeatures, VideoFeatures, pad_features
from cvr_data.media.video import Video
from tests.tiny_blip import losses_of

pytestmark = pytest.mark.slow

INTERACTIONS = ("dp", "ti", "wti", "xti")
AGGREGATIONS = ("none", "seqLSTM", "seqTransf")
VIDEOS = [Item(f"v{number}", Video(f"v{number}")) for number in range(6)]
TEXTS = ["a dog runs", "snow", "a man in a red coat cooks rice", "two dogs run"]
TEXT_QUERIES = [Query(f"q{number}", None, text) for number, text in enumerate(TEXTS)]
TEXT_ITEMS = [Item(f"t{number}", text=text) for number, text in enumerate(TEXTS)]


class GivenFeatures:
    """Serves features that are given: ids and texts are the keys."""

    name, runs_on = "given", "cpu float32"

    def __init__(self, features):
        self.features = {name: torch.tensor(rows) for name, rows in features.items()}
        self.dim = self.text_dim = next(iter(self.features.values())).shape[1]

    def encode_videos(self, videos):
        return VideoFeatures(*pad_features([self.features[video.video_id] for video in videos]))

    def encode_texts(self, texts):
        tokens_BLD, mask_BL = pad_features([self.features[text] for text in texts])
        pooled_BD = torch.stack([self.features[text].mean(dim=0) for text in texts])
        return TextFeatures.of(tokens_BLD, mask_BL, pooled_BD)


def hash_encoder(dim=8):
    return ENCODERS.get("hash").load(ENCODERS.get("hash").Config(dim=dim, frames=4))


def model(encoder=None, name="drl", **options):
    component = MODELS.get(name)
    return component.load(dataclasses.replace(component.TINY, **options), encoder or hash_encoder())


def scores(retriever, gallery, queries):
    retriever.index(gallery)
    return retriever.score(queries)


def triplets(count=40):
    """Each text names its video."""
    return TrainingSet(
        reference_ids=[f"v{number}" for number in range(count)],
        modifications=[f"word{number} and more" for number in range(count)],
        target_ids=[f"v{number}" for number in range(count)],
        target_group_ids=[f"v{number}" for number in range(count)],
    )


@pytest.mark.parametrize("mode", ["fixed", "faithful"])
@pytest.mark.parametrize("interaction", INTERACTIONS)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_both_directions_have_one_score(mode, interaction, aggregation):
    retriever = model(interaction=interaction, aggregation=aggregation, mode=mode, cdcr=2)
    to_video_TV = scores(retriever, VIDEOS, TEXT_QUERIES)
    to_text_VT = scores(retriever, TEXT_ITEMS, [Query(item.item_id, item, None) for item in VIDEOS])
    assert_close(to_text_VT.T, to_video_TV)
    assert to_video_TV.unique().numel() > 1


def test_equal_texts_of_a_gallery_score_the_same_to_the_last_bit():
    gallery = [Item(f"t{number}", text=TEXTS[number % 3]) for number in range(9)]
    found = scores(model(), gallery, [Query("q", VIDEOS[0], None)])
    assert torch.equal(found[:, :3], found[:, 3:6])


@pytest.mark.parametrize("mode", ["fixed", "faithful"])
@pytest.mark.parametrize(("interaction", "aggregation"), [("wti", "seqTransf"), ("ti", "none"), ("wti", "seqLSTM")])
def test_ranks_and_ties_depend_on_no_chunk_and_no_thread(mode, interaction, aggregation):
    """Every video of the gallery lies there twice, so that the last bit of a score decides about ranks and ties."""
    generator = torch.Generator().manual_seed(1)

    def drawn(most, count):
        lengths = torch.randint(1, most + 1, (count,), generator=generator).tolist()
        return [
            torch.nn.functional.normalize(torch.randn(n, 96, generator=generator), dim=-1).tolist() for n in lengths
        ]

    texts = {f"text {number}": rows for number, rows in enumerate(drawn(9, 23))}
    videos = {f"v{number}": rows for number, rows in enumerate(drawn(5, 15))}
    videos |= {f"copy of {name}": rows for name, rows in videos.items()}
    task = Task(
        name="copies",
        queries=[Query(text, None, text) for text in texts],
        gallery=[Item(name, Video(name)) for name in videos],
        targets={text: frozenset({f"v{number % 15}"}) for number, text in enumerate(texts)},
    )
    found, before = [], torch.get_num_threads()
    for chunk, threads in ((1024, 1), (1, 1), (7, 2), (23, 3)):
        torch.set_num_threads(threads)
        try:
            retriever = model(
                GivenFeatures(texts | videos), mode=mode, interaction=interaction, aggregation=aggregation, cdcr=0
            )
            found.append(evaluate(retriever, task, chunk=chunk, columns=chunk + 3))
        finally:
            torch.set_num_threads(before)
    for ranks in found:
        assert (ranks.ties % 2 == 1).all()
        assert ranks.ties.tolist() == found[0].ties.tolist()
        assert ranks.rank.tolist() == found[0].rank.tolist()
        assert ranks.top_scores.to_pylist() == found[0].top_scores.to_pylist()
    assert scores_are_exact(model(hash_encoder())) and not scores_are_exact(model(interaction="xti", cdcr=0))


def test_padding_wins_in_faithful_only():
    """All similarities are -1: the released code floors them at 0 where the video or the text has padding."""
    features = {"one word": [[1.0, 0.0]], "full": [[-1.0, 0.0]] * 4, "short": [[-1.0, 0.0]] * 3}
    gallery = [Item(name, Video(name)) for name in ("full", "short")]
    options = {"interaction": "ti", "aggregation": "none", "cdcr": 0, "max_words": 1, "max_frames": 4}
    for mode, expected in (("fixed", [-1.0, -1.0]), ("faithful", [-1.0, -0.5])):
        found = scores(model(GivenFeatures(features), mode=mode, **options), gallery, [Query("q", None, "one word")])
        assert found[0].tolist() == pytest.approx(expected)


def test_training_and_scoring_agree_on_padding():
    """What training sees as a score is what retrieval ranks by, in both modes."""
    batch = triplets(6).batch(range(6), hash_encoder())
    queries = [Query(text, None, text) for text in batch.modifications]
    for mode in ("fixed", "faithful"):
        retriever = model(mode=mode, aggregation="none")
        options = DrlOptions(mode=mode, aggregation="none", cdcr=0, temperature=1.0, positions=8)
        trained = drl_training_scores(options, retriever.module, batch).scores.to_video_BB.detach()
        found = scores(retriever, [Item(name, Video(name)) for name in batch.target_ids], queries)
        assert_close(found, trained, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["drl", "clip4clip"])
def test_every_parameter_learns(name):
    variants = [{"interaction": way, "aggregation": how, "cdcr": 3} for way in INTERACTIONS for how in AGGREGATIONS]
    if name == "clip4clip":
        variants = [{"header": header} for header in ("meanP", "seqLSTM", "seqTransf", "tightTransf")]
    for options in variants:
        retriever = model(name=name, temperature=0.1, **options)
        with torch.no_grad():  # away from the identity, where some gradients are zero
            for parameter in retriever.module.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        retriever.module.eval()
        retriever.training_step(triplets(8).batch(range(8), hash_encoder()))["loss"].backward()
        still = [
            key for key, value in retriever.module.named_parameters() if value.grad is None or not value.grad.any()
        ]
        assert still == [], options


@pytest.mark.parametrize("options", [{"interaction": "wti"}, {"interaction": "ti"}, {"mode": "faithful"}])
def test_training_lowers_the_loss(options):
    retriever = model(hash_encoder(16), temperature=0.1, **options)
    batch = triplets(24).batch(range(24), hash_encoder(16))
    losses = losses_of(retriever, batch, steps=30, lr=3e-3)
    assert losses[-1] < 0.8 * losses[0]


def test_captions_of_one_video_are_no_negatives_of_each_other_in_fixed_only():
    batch = triplets(4).batch(range(4), hash_encoder())
    doubled = dataclasses.replace(batch, target_ids=["v0", "v0", "v2", "v3"], target_group_ids=["v0", "v0", "v2", "v3"])
    for mode, changes in (("fixed", True), ("faithful", False)):
        retriever = model(mode=mode, cdcr=0)
        losses = [retriever.training_step(each)["loss"] for each in (batch, doubled)]
        assert (losses[0] != losses[1]) == changes


def test_a_frame_transformer_starts_as_the_identity():
    features = hash_encoder().encode_videos([item.video for item in VIDEOS])
    network = model(interaction="dp").module
    with torch.no_grad():
        network.frames.frame_position_embeddings.weight.zero_()
        assert_close(network.frames(features.frames_BTD, features.mask_BT), 2 * features.frames_BTD)


def test_more_frames_than_positions_is_one_line():
    with pytest.raises(CvrError, match="frames, and this model has 1 positions; set positions="):
        scores(model(positions=1), VIDEOS, TEXT_QUERIES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["wti_layers=4"], "wti_layers must be 1, 2 or 3"),
        (["mode=faithful", "interaction=ti"], "ti has no cdcr 3 as released"),
        (["cdcr=5"], "cdcr must be 0, 1, 2 or 3"),
    ],
)
def test_a_wrong_option_is_one_line(options, message):
    with pytest.raises(CvrError, match=message):
        MODELS.config("drl", options)


@pytest.mark.parametrize("interaction", ["ti", "wti"])
def test_ranks_and_ties_depend_neither_on_the_chunk_nor_on_threads_and_are_those_of_float64(interaction):
    draw = np.random.default_rng(0)
    videos = [draw.normal(size=(int(draw.integers(1, 6)), 24)).astype(np.float32) for _ in range(40)]
    videos += [videos[number].copy() for number in range(0, 40, 2)]  # twins score the same
    videos += [videos[number] * (1 + 1e-7) for number in range(0, 40, 4)]  # and some all but the same
    texts = [draw.normal(size=(int(draw.integers(1, 9)), 24)).astype(np.float32) for _ in range(30)]
    named = {f"v{n}": rows for n, rows in enumerate(videos)} | {f"t{n}": rows for n, rows in enumerate(texts)}
    features = GivenFeatures(named)
    drl = MODELS.get("drl")
    model = drl.load(drl.Config(interaction=interaction, aggregation="none", cdcr=0), features)
    task = Task(
        name="twins",
        queries=[Query(f"q{n}", None, f"t{n}") for n in range(30)],
        gallery=[Item(f"v{n}", Video(f"v{n}")) for n in range(70)],
        targets={f"q{n}": frozenset({f"v{2 * (n % 20)}"}) for n in range(30)},
    )
    found = [evaluate(model, task, chunk=chunk, columns=columns) for chunk, columns in ((1, 70), (7, 9), (64, 70))]
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    found.append(evaluate(model, task, chunk=16))
    torch.set_num_threads(before)
    for other in found[1:]:
        assert other.rank.tolist() == found[0].rank.tolist()
        assert other.ties.tolist() == found[0].ties.tolist()
    assert min(found[0].ties) >= 1
    if interaction == "wti":
        return
    unit = [[rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in side] for side in (texts, videos)]
    unit = [[rows.astype(np.float32).astype(float) for rows in side] for side in unit]
    for query in range(30):
        alike = [unit[0][query] @ rows.T for rows in unit[1]]
        scores = np.array([(each.max(1).mean() + each.max(0).mean()) / 2 for each in alike])
        target = scores[2 * (query % 20)]
        above, equal = (scores > target + 1e-6).sum(), (np.abs(scores - target) <= 1e-6).sum()
        assert above + 1 <= found[0].rank[query] <= above + equal
