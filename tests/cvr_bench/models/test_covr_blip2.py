"""covr-blip2: the published size against transformers itself, both scorings, and the losses as released and fixed."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import covr_blip2
from cvr_bench.models.parts.losses import hn_nce
from cvr_bench.tasks.task import Item
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video
from tests.tiny_blip import TokenFeatures, batch, losses_of, queries, save_blip2

pytestmark = pytest.mark.slow

TEXTS = ("make it red", "a dog instead of a cat", "snow")
TOKENS = Path("tokens")
SMALL = {"width": 8, "layers": 2, "heads": 2, "dropout": 0.0, "queries": 3}
GALLERY = [Item(f"t{row}", Video(f"t{row}")) for row in range(5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("blip2")


@pytest.fixture(scope="module")
def blip2(folder):
    return save_blip2(folder)


def small(features, **options):
    return covr_blip2.load(covr_blip2.Config(**{**SMALL, **options}), features)


def whole(folder, features, **options):
    return covr_blip2.load(covr_blip2.Config(model=str(folder), reference_tokens=TOKENS, **options), features)


def query_tokens(blip2, features):
    """Of "make it red" about v0 and "of" about v1, by transformers."""
    videos = [query.reference.video for query in queries("x", "x")]
    seen = features.encode_video_tokens(videos, TOKENS)
    image = torch.stack([seen.frames_BTD[row, int(seen.mask_BT[row].sum()) // 2] for row in range(2)])
    ids = torch.tensor([[1, 4, 5, 6, 2], [1, 11, 2, 0, 0]])
    tokens = blip2.query_tokens.expand(2, -1, -1)
    with torch.no_grad():
        states = blip2.qformer(
            query_embeds=blip2.embeddings(input_ids=ids, query_embeds=tokens),
            query_length=4,
            attention_mask=torch.cat([torch.ones(2, 4, dtype=torch.int64), (ids > 0).long()], dim=1),
            encoder_hidden_states=image,
        ).last_hidden_state
        return F.normalize(blip2.text_projection(states[:, :4]), dim=-1)


def target_tokens(features):
    found = features.encode_video_tokens([item.video for item in GALLERY], None)
    rows = zip(found.frames_BTD, found.mask_BT, strict=True)
    return F.normalize(torch.stack([frames[mask].mean(dim=0) for frames, mask in rows]), dim=-1)


def test_as_released_means_keep_their_length(blip2, folder, features):
    model = whole(folder, features, mode="faithful", targets="tokens")
    model.index(GALLERY)
    query_BD = query_tokens(blip2, features).mean(dim=1)
    assert_close(model.embed(queries("make it red", "of")), query_BD, atol=1e-6, rtol=0)
    expected = query_BD @ target_tokens(features).mean(dim=1).T
    assert_close(model.score(queries("make it red", "of")), expected, atol=1e-6, rtol=0)


def test_fixed_means_have_unit_length(blip2, folder, features):
    model = whole(folder, features, targets="tokens")
    model.index(GALLERY)
    query_BD = F.normalize(query_tokens(blip2, features).mean(dim=1), dim=-1)
    target_GD = F.normalize(target_tokens(features).mean(dim=1), dim=-1)
    assert_close(model.score(queries("make it red", "of")), query_BD @ target_GD.T, atol=1e-6, rtol=0)


def test_the_best_pair_of_tokens_scores(blip2, folder, features, monkeypatch):
    model = whole(folder, features, scoring="max", targets="tokens")
    model.index(GALLERY)
    pairs = torch.einsum("qkd,gtd->qgkt", query_tokens(blip2, features), target_tokens(features))
    expected = pairs.amax(dim=(2, 3))
    assert_close(model.score(queries("make it red", "of")), expected, atol=1e-6, rtol=0)
    monkeypatch.setattr("cvr_bench.models.covr_blip2.BLOCK", 1)  # one query at a time
    assert_close(model.score(queries("make it red", "of")), expected, atol=1e-6, rtol=0)


def test_without_query_tokens_of_targets_their_frames_are_tokens(features):
    model = small(features, scoring="max")
    model.index(GALLERY)
    frames = features.encode_videos([item.video for item in GALLERY])
    tokens_QKD = model.encode_queries(queries(*TEXTS))
    for column in range(5):
        rows_TD = F.normalize(frames.frames_BTD[column][frames.mask_BT[column]], dim=-1)
        best = (tokens_QKD @ rows_TD.T).amax(dim=(1, 2))
        assert_close(model.score(queries(*TEXTS))[:, column], best.detach())


def test_a_variant_sees_its_part_of_the_query_only(folder, features):
    for make in (small, lambda features, **options: whole(folder, features, **options)):
        text, image = make(features, variant="text-only"), make(features, variant="visual-only")
        assert_close(*text.embed(queries("make it red", "make it red")))
        assert_close(image.embed(queries("make it", "red")), image.embed(queries("snow", "a dog")))
        for model in (text, image):
            assert_close(model.embed(queries("a", "dog")).norm(dim=1), torch.ones(2))


def test_only_what_a_variant_uses_is_trained(features):
    trained = {
        variant: {
            name for name, each in small(features, variant=variant).module.named_parameters() if each.requires_grad
        }
        for variant in ("cross-attention", "text-only", "visual-only")
    }
    assert trained["visual-only"] == {"query_tokens", "vision_projection.weight", "vision_projection.bias"}
    assert not any(name.startswith("vision_projection") for name in trained["cross-attention"])
    left = {name for name in trained["cross-attention"] - trained["text-only"]}
    assert left and all(name == "query_tokens" or "crossattention" in name or "_query." in name for name in left)


def test_losses_are_those_of_the_released_code(folder, features):
    captions = ["a red dog", "a dog", "snow on a dog"]
    triplets = batch(features, *TEXTS, target_caption=captions)
    model = whole(folder, features, mode="faithful", targets="tokens")
    model.module.eval()  # dropout off
    found = model.training_step(triplets)
    query_BD = model.embed(queries(*TEXTS))
    tokens = features.encode_video_tokens([Video(f"t{row}") for row in range(3)], None)
    rows = zip(tokens.frames_BTD, tokens.mask_BT, strict=True)
    target_BD = torch.stack([frames[mask].mean(dim=0).mean(dim=0) for frames, mask in rows])
    caption_BD = features.encode_texts(captions).pooled_BD
    for name, other_BD in (("target", target_BD), ("caption", caption_BD)):
        assert_close(found[name], 0.5 * hn_nce(query_BD @ other_BD.T / 0.07, reference_axis=True))
    assert_close(found["loss"], found["target"] + found["caption"])


@pytest.mark.slow
def test_fixed_needs_no_captions_and_learns(features):
    model = small(features, width=16)
    losses = losses_of(model, batch(features, *TEXTS, "it", "of"), steps=60)
    assert losses[-1] < 0.5 * losses[0]


def test_mistakes_are_one_line(folder, features):
    with pytest.raises(ValueError, match="scoring=max needs query tokens"):
        covr_blip2.Config(variant="text-only", scoring="max")
    model = small(features, scoring="max")
    with pytest.raises(CvrError, match="This model ranks videos only; gallery item t is a text"):
        model.index([Item("t", text="a dog")])
    wide = TokenFeatures()
    wide.dim = 19
    with pytest.raises(CvrError, match="gives embeddings 20 wide, the features are 19 wide"):
        whole(folder, wide)
