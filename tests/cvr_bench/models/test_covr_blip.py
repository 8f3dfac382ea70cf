"""covr-blip: the published size against transformers itself, its variants and losses by their formulas."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import covr_blip
from cvr_bench.models.networks.covr.blip import Built
from cvr_bench.models.networks.covr.config import CovrConfig
from cvr_bench.models.networks.covr.inputs import Inputs
from cvr_bench.models.networks.covr.objective import covr_pooled
from cvr_bench.models.parts.losses import hn_nce, info_nce, model_loss_false_negatives
from cvr_data.core.errors import CvrError
from cvr_data.features.protocol import VideoFeatures
from tests.tiny_blip import TokenFeatures, batch, losses_of, queries, save_blip

pytestmark = pytest.mark.slow

TEXTS = ("make it red", "a dog instead of a cat", "snow")
TOKENS = Path("tokens")
SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("blip")


@pytest.fixture(scope="module")
def blip(folder):
    return save_blip(folder)


def small(features, **options):
    return covr_blip.load(covr_blip.Config(**{**SMALL, **options}), features)


def whole(folder, features, **options):
    return covr_blip.load(covr_blip.Config(model=str(folder), reference_tokens=TOKENS, **options), features)


def looked_at(features, count):
    """The tokens of the middle frames of v0, v1, ..., one by one."""
    videos = [query.reference.video for query in queries(*["x"] * count)]
    found = features.encode_video_tokens(videos, TOKENS)
    return torch.stack([found.frames_BTD[row, int(found.mask_BT[row].sum()) // 2] for row in range(count)])


@pytest.mark.parametrize("mode", ["fixed", "faithful"])
def test_the_published_size_gives_what_transformers_gives(blip, folder, features, mode):
    ids = torch.tensor([[13, 4, 5, 6, 2], [13, 11, 2, 0, 0]])  # [ENC] make it red [SEP]; [ENC] of [SEP]
    with torch.no_grad():
        states = blip.text_encoder(
            input_ids=ids, attention_mask=(ids > 0).long(), encoder_hidden_states=looked_at(features, 2)
        ).last_hidden_state
        expected = F.normalize(blip.text_proj(states[:, 0]), dim=-1)
    found = whole(folder, features, mode=mode).embed(queries("Make it: red!", "of"))
    assert_close(found, expected, atol=1e-6, rtol=0)


def test_as_released_texts_end_after_thirty_words(blip, folder, features):
    long = " ".join(["red dog"] * 16)
    cut = " ".join(long.split()[:30])
    faithful, fixed = (whole(folder, features, mode=mode) for mode in ("faithful", "fixed"))
    assert_close(faithful.embed(queries(long)), faithful.embed(queries(cut)))
    assert not torch.allclose(fixed.embed(queries(long)), fixed.embed(queries(cut)), atol=1e-4)


def test_a_variant_sees_its_part_of_the_query_only(blip, folder, features):
    first, second = queries("make it red", "make it red"), queries("snow", "a dog")
    for model in (small(features, variant="text-only"), whole(folder, features, variant="text-only")):
        assert_close(*model.embed(first))
        assert not torch.allclose(*model.embed(second))
    for model in (small(features, variant="visual-only"), whole(folder, features, variant="visual-only")):
        assert_close(model.embed(first), model.embed(second))
    with torch.no_grad():
        expected = F.normalize(blip.vision_proj(looked_at(features, 2)[:, 0]), dim=-1)
    assert_close(model.embed(first), expected)


def test_average_and_late_fusion_follow_their_formulas(features):
    query = queries("make it red")
    frames_TD = features.encode_videos([query[0].reference.video]).frames_BTD[0]
    text_D, image_D = features.encode_texts(["make it red"]).pooled_BD[0], frames_TD[len(frames_TD) // 2]
    average = covr_blip.load(covr_blip.Config(variant="avg"), features)
    assert_close(average.embed(query)[0], F.normalize(text_D + image_D, dim=0))
    assert average.module is None
    fused = covr_blip.load(covr_blip.Config(variant="late-fusion"), features)
    module, both = fused.module, torch.cat([text_D, image_D])
    with torch.no_grad():
        share = module.dynamic_scalar(both)
        learned = module.output_layer(module.combiner_layer(both).relu())
        assert_close(fused.embed(query)[0], F.normalize(learned + share * text_D + (1 - share) * image_D, dim=0))


def test_only_what_a_variant_uses_is_trained(features):
    trained = {
        variant: {
            name for name, each in small(features, variant=variant).module.named_parameters() if each.requires_grad
        }
        for variant in ("cross-attention", "text-only", "visual-only")
    }
    assert trained["visual-only"] == {"vision_proj.weight", "vision_proj.bias"}
    assert not trained["cross-attention"] & trained["visual-only"]
    assert {
        name for name in trained["cross-attention"] - trained["text-only"] if ".crossattention." not in name
    } == set()


def test_losses_are_those_of_the_paper_and_of_the_released_code(features):
    triplets = batch(features, *TEXTS, targets=("t0", "t1", "t0"))
    for mode, loss in (("fixed", "hn-nce"), ("fixed", "info-nce"), ("faithful", "hn-nce"), ("faithful", "info-nce")):
        model = small(features, mode=mode, loss=loss)
        logits = model.embed(queries(*TEXTS)) @ triplets.target.pooled_BD().T / 0.07
        ignored = model_loss_false_negatives(["t0", "t1", "t0"]) if mode == "fixed" else None
        if loss == "info-nce":
            expected = info_nce(logits, ignored)
        else:
            expected = hn_nce(logits, ignored, reference_axis=mode == "faithful")
        assert_close(model.training_step(triplets)["loss"], expected)


def test_captions_of_targets_can_be_learned_from_too(features):
    captions = ["a red dog", "a dog", "snow on a dog"]
    triplets = batch(features, *TEXTS, target_caption=captions)
    model = small(features, caption_weight=0.5)
    caption_BD = features.encode_texts(captions).pooled_BD
    found = model.training_step(triplets)
    assert_close(found["caption"], 0.5 * hn_nce(model.embed(queries(*TEXTS)) @ caption_BD.T / 0.07))
    assert_close(found["loss"], found["caption"] + found["target"])
    with pytest.raises(CvrError, match="needs the target_caption of every triplet"):
        model.training_step(batch(features, *TEXTS))


def test_targets_are_pooled_by_mean_middle_or_annotated_scores():
    frames = torch.arange(12.0).reshape(2, 3, 2)
    features = VideoFeatures(frames, torch.tensor([[True, True, True], [True, True, False]]))
    assert covr_pooled(features, "middle").tolist() == [[2, 3], [8, 9]]
    assert covr_pooled(features, "mean").tolist() == [[2, 3], [7, 8]]
    weights = torch.softmax(torch.tensor([0.1, 0.3, 0.2]) / 0.1, dim=0)
    found = covr_pooled(features, "query", [[0.1, 0.3, 0.2], [0.5]])  # the second has not one score per frame
    assert_close(found, torch.stack([weights @ frames[0], torch.tensor([7.0, 8.0])]))
    assert_close(covr_pooled(features, "query"), covr_pooled(features, "mean"))


@pytest.mark.slow
def test_the_small_network_learns(features):
    model = small(features, width=16)
    losses = losses_of(model, batch(features, *TEXTS, "it", "of"), steps=60)
    assert losses[-1] < 0.2 * losses[0]


def test_features_that_do_not_fit_are_one_line(blip, folder, features):
    class Wrong(TokenFeatures):
        def encode_video_tokens(self, videos, folder):
            return super().encode_video_tokens(videos, None)

    with pytest.raises(CvrError, match="The frame tokens of tokens are 20 wide, this network needs 24"):
        whole(folder, Wrong()).embed(queries("red"))
    with pytest.raises(CvrError, match="'hash' gives no tokens of frames"):
        whole(folder, features.encoder).embed(queries("red"))
    with pytest.raises(ValueError, match="width must be a multiple of heads"):
        covr_blip.Config(width=7)


def test_random_frames_are_seen_in_training_alone(features):
    videos = [query.reference.video for query in queries("x", "y", "z")]
    look = Inputs(CovrConfig(), features, Built(small(features).module)).images
    whole_BTV = features.encode_videos(videos).frames_BTD
    counts_B = features.encode_videos(videos).mask_BT.sum(dim=1)
    torch.manual_seed(0)
    seen = [set() for _ in videos]
    for _ in range(60):
        drawn_B1V = look(videos, drawn=True).tokens_BPV
        assert drawn_B1V.shape[1] == 1
        for row, frames_TV in enumerate(whole_BTV):
            matches = (frames_TV[: counts_B[row]] == drawn_B1V[row]).all(dim=1)
            assert matches.any()
            seen[row].add(int(matches.nonzero()[0]))
    assert [len(found) for found in seen] == counts_B.tolist()
    assert look(videos).tokens_BPV.shape == whole_BTV.shape
    random, middle_frame = small(features, query_frame="random"), small(features)
    assert_close(random.embed(queries("x", "y")), middle_frame.embed(queries("x", "y")))
