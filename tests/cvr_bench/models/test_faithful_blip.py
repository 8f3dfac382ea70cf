"""Every `faithful` model over BLIP and BLIP-2, from texts and files of frames to scores and ranks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.cvr_bench.models.faithful import FRAMES, QUERIES, benched, check, filmed, roughened
from tests.cvr_data.features.encoders.conftest import blip2_folder, blip_folder, clip_folder, merges
from tests.cvr_data.features.encoders.test_transformers_encoders import processed, tokenized
from tests.tiny_blip import published_blip2

__all__ = ["benched", "blip2_folder", "blip_folder", "clip_folder", "filmed", "merges"]
pytestmark = pytest.mark.slow


def trained_blip(folder):
    """The network of a folder with other weights, as after training, but for the frozen image side."""
    from transformers import BlipForImageTextRetrieval

    model = roughened(BlipForImageTextRetrieval.from_pretrained(folder), 0.05)
    frozen = BlipForImageTextRetrieval.from_pretrained(folder).eval()
    model.vision_model, model.vision_proj = frozen.vision_model, frozen.vision_proj
    return model


@torch.no_grad()
def blip_reference(folder, model, filmed, prompts=None):
    """CoVR-BLIP as released: [ENC] first, the text looks at the middle frame; targets are unit mean frames."""
    pixels = [processed(folder, frames)["pixel_values"] for frames in filmed.frames]
    states = [model.vision_model(each)[0] for each in pixels]
    units = [F.normalize(model.vision_proj(each[:, 0]), dim=-1) for each in states]
    gallery = F.normalize(torch.stack([each.mean(dim=0) for each in units]), dim=-1)
    rows = []
    for number, (first, text, _) in enumerate(QUERIES):
        words = tokenized(folder, [text], 64, return_token_type_ids=False)
        words["input_ids"][:, 0] = model.text_encoder.config.vocab_size - 1
        seen = states[first][FRAMES // 2][None]
        seen = seen if prompts is None else seen + prompts[number]
        read = model.text_encoder(**words, encoder_hidden_states=seen)[0]
        rows.append(F.normalize(model.text_proj(read[:, 0]), dim=-1)[0])
    return torch.stack(rows) @ gallery.T


def blip_weights(model, **more):
    kept = {name: value.contiguous() for name, value in model.state_dict().items() if not name.startswith("itm_head.")}
    return {name: value.clone() for name, value in {**kept, **more}.items()}


@pytest.mark.parametrize("model", ["covr-blip", "ecde"])
def test_covr_blip_and_what_ecde_scores_with(filmed, benched, blip_folder, tmp_path, model):
    trained = trained_blip(blip_folder)
    torch.save({"epoch": 4, "model": blip_weights(trained)}, tmp_path / "covr.ckpt")
    found = benched("blip", blip_folder, model, tmp_path / "covr.ckpt", f"model={blip_folder}")
    check(found, blip_reference(blip_folder, trained, filmed))


@torch.no_grad()
def test_bse_covr_adds_the_description_to_every_image_token(filmed, benched, blip_folder, tmp_path):
    trained = trained_blip(blip_folder)
    torch.manual_seed(3)
    prompt = nn.Linear(32, 32)
    more = {f"prompt_proj.{name}": value for name, value in prompt.state_dict().items()}
    torch.save({"epoch": 4, "model": blip_weights(trained, **more)}, tmp_path / "bse.ckpt")
    found = benched("blip", blip_folder, "bse-covr", tmp_path / "bse.ckpt", f"model={blip_folder}")
    prompts = []
    for row in range(len(QUERIES)):
        words = tokenized(blip_folder, [filmed.described[row] or "red red dog"], 64, return_token_type_ids=False)
        words["input_ids"][:, 0] = trained.text_encoder.config.vocab_size - 1
        prompts.append(prompt(trained.text_encoder(**words)[0][:, :1]))
    check(found, blip_reference(blip_folder, trained, filmed, prompts))


@torch.no_grad()
def test_covr_blip2_takes_the_mean_of_its_tokens_as_it_is(filmed, benched, blip2_folder, tmp_path):
    from transformers import Blip2ForImageTextRetrieval

    frozen = Blip2ForImageTextRetrieval.from_pretrained(blip2_folder).eval()
    trained = roughened(Blip2ForImageTextRetrieval.from_pretrained(blip2_folder), 0.05)
    trained.vision_model = frozen.vision_model
    kept = {name: value for name, value in trained.state_dict().items() if not name.startswith("itm_head.")}
    torch.save({"epoch": 4, "model": kept}, tmp_path / "covr2.ckpt")
    weights = tmp_path / "covr2.ckpt"
    found = benched("blip2", blip2_folder, "covr-blip2", weights, f"model={blip2_folder}", normalise="false")
    pixels = [processed(blip2_folder, frames)["pixel_values"] for frames in filmed.frames]
    states = [frozen.vision_model(each)[0] for each in pixels]
    gallery = []
    for each in states:
        seen = frozen.qformer(query_embeds=frozen.query_tokens.expand(FRAMES, -1, -1), encoder_hidden_states=each)[0]
        gallery.append(F.normalize(frozen.vision_projection(seen), dim=-1).mean(dim=(0, 1)))
    rows = []
    for first, text, _ in QUERIES:
        words = tokenized(blip2_folder, [text], 64, return_token_type_ids=False)
        embedded = trained.embeddings(input_ids=words["input_ids"], query_embeds=trained.query_tokens)
        mask = torch.cat([torch.ones(1, 4), words["attention_mask"]], dim=1)
        read = trained.qformer(query_embeds=embedded, query_length=4, attention_mask=mask,
                               encoder_hidden_states=states[first][FRAMES // 2][None])[0]  # fmt: skip
        rows.append(F.normalize(trained.text_projection(read[0, :4]), dim=-1).mean(dim=0))
    check(found, torch.stack(rows) @ torch.stack(gallery).T)


def retrack_extras(dim, tokens, batch):
    """Weights of ReTrack's own, roughened, under the names of its code, and those that nothing depends on."""
    from cvr_bench.models.networks.covr.retrack import Decoder

    torch.manual_seed(5)
    decoder = roughened(Decoder(dim)).state_dict()
    mlps = {"text_anchor_to_k": (dim, dim // 2, tokens), "point_weights": (batch, 2 * batch, dim)}
    layers = {
        f"{name}.{place}.{part}": value
        for name, sizes in mlps.items()
        for place, layer in ((0, nn.Linear(*sizes[:2])), (2, nn.Linear(*sizes[1:])))
        for part, value in layer.state_dict().items()
    }
    names = ("compose_token_mat_weight", "compose_anchor_mat_weight")
    matrices = {name: torch.eye(tokens) + 0.3 * torch.randn(tokens, tokens) for name in names}
    unused = {"anchor_projector.weight": torch.ones(tokens, dim), "point_factor": torch.ones(1)}
    return {
        **matrices,
        **layers,
        **unused,
        **{f"contribution_decoder.event_decoder.{k}": v for k, v in decoder.items()},
    }


def retrack_score(tokens_KD, target_LD, matrix_KK):
    """The released formula for one pair: p = softmax(s / a), w = softmax(p M / a), the sum of w s."""
    best_K = (tokens_KD @ target_LD.T).amax(dim=1)
    weights_K = ((best_K / 0.01).softmax(dim=0) @ matrix_KK / 0.01).softmax(dim=0)
    return (weights_K * best_K).sum()


@torch.no_grad()
def test_retrack_reads_a_published_file_and_scores_token_by_token(filmed, benched, blip2_folder, tmp_path, cvr):
    from transformers import Blip2ForImageTextRetrieval

    frozen = Blip2ForImageTextRetrieval.from_pretrained(blip2_folder).eval()
    trained = roughened(Blip2ForImageTextRetrieval.from_pretrained(blip2_folder), 0.05)
    norm = trained.vision_model.post_layernorm
    trained.vision_model = frozen.vision_model
    extras = retrack_extras(20, 4, 64)
    published = {**published_blip2(trained), "ln_vision.weight": norm.weight, "ln_vision.bias": norm.bias, **extras}
    torch.save({"epoch": 4, "model": published}, tmp_path / "retrack.ckpt")
    cvr.done(
        "import-checkpoint", tmp_path / "retrack.ckpt", "-m", "retrack", "--base", blip2_folder, "-O", tmp_path / "in"
    )
    found = benched(
        "blip2", blip2_folder, "retrack", tmp_path / "in", f"model={blip2_folder}", normalise="false", tokens="states"
    )
    looked_at, targets = [], []
    for frames in filmed.frames:
        pixels = processed(blip2_folder, frames)["pixel_values"][FRAMES // 2][None]
        states = frozen.vision_model.encoder(inputs_embeds=frozen.vision_model.embeddings(pixels)).last_hidden_state
        looked_at.append(F.layer_norm(states, states.shape[-1:], norm.weight, norm.bias, 1e-5))
        seen = trained.qformer(query_embeds=trained.query_tokens, encoder_hidden_states=looked_at[-1])[0]
        targets.append(F.normalize(trained.vision_projection(seen[0]), dim=-1))
    rows = []
    for first, text, _ in QUERIES:
        words = tokenized(blip2_folder, [text], 64, return_token_type_ids=False)
        embedded = trained.embeddings(input_ids=words["input_ids"], query_embeds=trained.query_tokens)
        mask = torch.cat([torch.ones(1, 4), words["attention_mask"]], dim=1)
        read = trained.qformer(query_embeds=embedded, query_length=4, attention_mask=mask,
                               encoder_hidden_states=looked_at[first])[0]  # fmt: skip
        tokens_KD = F.normalize(trained.text_projection(read[0, :4]), dim=-1)
        rows.append([retrack_score(tokens_KD, each, extras["compose_token_mat_weight"]) for each in targets])
    check(found, torch.tensor(rows))
