"""ecde: the sum of three compositions, three target spaces, and the part of both that was released."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from cvr_bench.models import ecde
from cvr_bench.models.networks.covr.blip import Built, ImageTokens
from cvr_bench.models.networks.covr.config import CovrConfig
from cvr_bench.models.networks.covr.inputs import Inputs
from cvr_bench.models.parts.losses import hn_nce
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import parse_config
from cvr_data.features.embed import embed
from cvr_data.features.encoders import ENCODERS
from tests.tiny_blip import DIM, TokenFeatures, batch, queries, save_blip

TEXTS = ("make it red", "snow", "a dog")
CAPTIONS = ["a dog of snow", "red snow", "cat"]
TARGETS = ["a red dog", "snow", "a dog instead of a cat"]
SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}


def load(features, **options):
    return ecde.load(ecde.Config(**{**SMALL, **options}), features)


def composed(model, features):
    """(f(reference, text), f(reference, description), f(description, text)), one by one."""
    rows = []
    network, inputs = model.module, Inputs(CovrConfig(), features, Built(model.module))
    texts, look = inputs.words, inputs.images
    for query, caption in zip(queries(*TEXTS), CAPTIONS, strict=True):
        text, described, image = texts([query.modification]), texts([caption]), look([query.reference.video])
        with torch.no_grad():
            states = network.prompt(described) if network.prompt_proj is not None else None
            seen = None if states is None else ImageTokens(states, torch.ones(states.shape[:2], dtype=torch.bool))
            third = torch.zeros(1, DIM) if seen is None else network.query(text, seen)
            rows.append(torch.stack([network.query(text, image), network.query(described, image), third]))
    return torch.cat(rows, dim=1)


def test_a_query_is_the_sum_of_three(features):
    model = load(features)
    found = model.embed(queries(*TEXTS, described=CAPTIONS))
    parts = composed(model, features)
    assert_close(found, F.normalize(parts.sum(dim=0), dim=-1), atol=1e-6, rtol=0)
    without = model.embed(queries(*TEXTS, described=[CAPTIONS[0], None, None]))
    assert_close(without[0], found[0])
    assert_close(without[1:], parts[0, 1:], atol=1e-6, rtol=0)


def test_as_released_the_description_is_for_training_only(features):
    model = load(features, mode="faithful")
    parts = composed(model, features)
    assert_close(model.embed(queries(*TEXTS, described=CAPTIONS)), parts[0], atol=1e-6, rtol=0)
    triplets = batch(features, *TEXTS, reference_description=CAPTIONS, target_caption=TARGETS)
    found = model.training_step(triplets)
    query_BD = 0.8 * parts[0] + 0.2 * parts[1]
    visual_BD = triplets.target.pooled_BD()
    both_BD = F.normalize(visual_BD + features.encode_texts(TARGETS).pooled_BD, dim=-1)
    assert set(found) == {"loss", "visual", "multimodal"}
    for name, target_BD in (("visual", visual_BD), ("multimodal", both_BD)):
        assert_close(found[name], hn_nce(query_BD @ target_BD.T / 0.07, reference_axis=True))
    assert_close(found["loss"], 0.8 * found["visual"] + 0.2 * found["multimodal"])


def test_the_weights_of_three_spaces_are_learned(features):
    model = load(features)
    triplets = batch(features, *TEXTS, reference_description=CAPTIONS, target_caption=TARGETS)
    with torch.no_grad():
        model.module.uncertainty.copy_(torch.tensor([0.1, -0.2, 0.3]))
    found = model.training_step(triplets)
    expected = sum(
        found[name] * torch.exp(torch.tensor(-s)) + s
        for name, s in (("visual", 0.1), ("multimodal", -0.2), ("text", 0.3))
    )
    assert_close(found["loss"], expected)
    found["loss"].backward()
    assert (model.module.uncertainty.grad != 0).all()
    with pytest.raises(CvrError, match=r"ecde needs the target_caption of every triplet.*-o spaces=visual"):
        model.training_step(batch(features, *TEXTS))
    load(features, spaces=("visual",)).training_step(batch(features, *TEXTS))["loss"].backward()


def test_multimodal_targets_may_be_stored(features, world, tmp_path):
    hashed = ENCODERS.get("hash").Config(dim=DIM, frames=2, seed=5)
    embed(world.videos, "hash", hashed, tmp_path / "multimodal")
    model = load(features, mode="faithful", multimodal_targets=tmp_path / "multimodal")
    triplets = batch(features, *TEXTS, targets=["train00", "train01", "train02"])
    stored = ENCODERS.get("hash").load(hashed)
    expected = stored.encode_videos([batch_video for batch_video in triplets_targets(triplets)]).pooled_BD()
    logits = model.embed(queries(*TEXTS)) @ expected.T / 0.07
    assert_close(model.training_step(triplets)["multimodal"], hn_nce(logits, reference_axis=True), atol=2e-2, rtol=0)


def triplets_targets(triplets):
    from cvr_data.media.video import Video

    return [Video(target_id) for target_id in triplets.target_ids]


def test_published_weights_keep_their_names(tmp_path):
    model = save_blip(tmp_path / "blip")
    options = {"model": str(tmp_path / "blip"), "reference_tokens": Path("tokens"), "mode": "faithful"}
    found = ecde.load(ecde.Config(**options, checkpoint=tmp_path / "blip"), TokenFeatures()).module
    assert_close(found.text_proj.weight, model.text_proj.weight)


def test_a_space_that_is_none_is_refused():
    with pytest.raises(CvrError, match="spaces must be some of visual, multimodal, text, got visul"):
        parse_config(ecde.Config, ["spaces=visul"], where="ecde")
