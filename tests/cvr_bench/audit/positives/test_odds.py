"""The judge with log-odds: over real HTTP and by a tiny vision-language model of a real class, captions and frames."""

import json

import pytest
import torch

from cvr_bench.audit.positives.find import Config, find_positives
from cvr_bench.audit.positives.odds import OddsConfig, OddsJudge, Question
from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.media.places import read_media_clips
from cvr_data.media.video import read_frames
from cvr_data.modifications.checking.judge import JudgeConfig
from tests.llm_server import LLMServer
from tests.native_embedders import FILMS, QUERIES, write_film_triplets, write_films
from tests.tiny_language_models import save_vision_language_model

pytestmark = [pytest.mark.slow, pytest.mark.engine]


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_films(folder)
    write_film_triplets(folder)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CVR_CACHE", str(tmp_path / "cache"))


def said_of(prompt):
    """Of the candidate at the end of the prompt: dark ones are right, grey ones nobody knows, others are wrong."""
    candidate = prompt.rsplit("Candidate:", 1)[1]
    odds = 3.0 if "dark" in candidate else 0.5 if "grey" in candidate else -2.0
    return {"Yes": -1.0, "No": -1.0 - odds, "Well": -9.0}


def cells_of(folder):
    return {(row["query_id"], row["video_id"]): row for row in open_artifact(folder).read().to_pylist()}


def test_a_server_s_log_odds_grade_what_is_open_and_leave_the_unsure_to_people(films, tmp_path, cvr):
    with LLMServer(logprobs=said_of) as server:
        words = ("find-positives", films / "triplets", "--judge", "openai", "--judge-option", "model=tiny",
                 "--judge-option", f"base_url={server.url}", "-o", "sample=9", "-o", "frames=2")  # fmt: skip
        sure, unsure = cvr(*words, "-O", tmp_path / "sure"), cvr(*words, "-o", "unsure=1", "-O", tmp_path / "unsure")
        asked = len(server.bodies)
        again = cvr(*words, "-O", tmp_path / "again")
    assert (sure.code, unsure.code, again.code) == (0, 0, 0), sure.err + unsure.err
    rows = cells_of(tmp_path / "sure").values()
    judged = {row["video_id"]: row for row in rows if row["judged_by"] == "judge"}
    assert {name: row["grade"] for name, row in judged.items()} == {
        "dark": 1, "grey": 1, "bright": 0, "rising": 0, "falling": 0
    }  # fmt: skip
    assert judged["dark"]["log_odds"] == pytest.approx(3.0) and judged["dark"]["reason"] == "log-odds +3.00"
    left = [row for row in cells_of(tmp_path / "unsure").values() if row["grade"] is None]
    assert left and {row["video_id"] for row in left} == {"grey"}
    assert f"unjudged: {len(left)} ({len(left)} of them the judge is not sure of)" in unsure.out
    assert read_json(tmp_path / "unsure" / "summary.json", dict)["unsure"] == len(left)
    queue = open_artifact(tmp_path / "unsure" / "queue").read().to_pylist()
    assert {row["target_id"] for row in queue} == {"grey"}
    assert asked == len({row["query_id"] + row["video_id"] for row in rows if row["log_odds"] is not None})
    assert len(server.bodies) == asked  # answers are cached
    content = server.bodies[0]["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["image_url"] * 4 + ["text"]
    assert "Reference: the first 2 pictures" in content[-1]["text"] and "the last 2 pictures" in content[-1]["text"]
    assert json.dumps(server.bodies[0]).count("data:image/jpeg") == 4


def test_a_vision_language_model_s_log_odds_are_the_logits_of_its_forward_pass(films, tmp_path):
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = save_vision_language_model(tmp_path / "vlm", "yes", "no")
    options = (f"model={model}", "dtype=float32", "device=cpu")
    judge = OddsJudge(OddsConfig(backend="transformers", options=options, frames=2), read_media_clips(films / "videos"))
    asked = [Question("grey", "darker", (name,), "grey", name) for name in FILMS]
    found = judge.log_odds(asked)
    assert len(set(found)) == len(FILMS)
    processor = AutoProcessor.from_pretrained(model)
    network = AutoModelForImageTextToText.from_pretrained(model).eval()
    chat = [*judge.model.introduction, judge.model.prompt.question(judge._variables(asked[1]))]
    shown = [{"role": each.role, "content": [{"type": "text", "text": each.content}]} for each in chat]
    shown[-1]["content"] = [{"type": "image"}] * 4 + shown[-1]["content"]
    prompt = processor.apply_chat_template(shown, tokenize=False, add_generation_prompt=True)
    images = [Image.fromarray(frame) for name in ("grey", asked[1].candidate_id)
              for frame in read_frames(films / "media" / f"{name}.mp4", 2)]  # fmt: skip
    with torch.no_grad():
        logits = network(**processor(text=[prompt], images=[images], return_tensors="pt")).logits[0, -1]
    yes, no = (processor.tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
    assert found[1] == pytest.approx(float(logits[yes] - logits[no]), abs=0.02)  # frames come as JPEG


def test_what_has_no_log_probabilities_or_no_file_is_one_line(films, tmp_path, one_line_error):
    base = ("find-positives", films / "triplets", "-o", "sample=9", "-O", tmp_path / "out")
    assert "echo tells no log-probabilities" in one_line_error(*base, "--judge", "echo", "-o", "ask=log-odds")
    with LLMServer() as server:
        openai = ("--judge", "openai", "--judge-option", "model=tiny", "--judge-option", f"base_url={server.url}")
        line = one_line_error(*base, *openai)
    assert "gave no log-odds of" in line and "the server tells no log-probabilities" in line and "ask=verdict" in line
    for of_odds in ("frames=2", "unsure=1"):
        assert "leave out them or ask=verdict" in one_line_error(*base, *openai, "-o", "ask=verdict", "-o", of_odds)
    judge = OddsJudge(OddsConfig(backend="openai", options=("model=tiny",), frames=2), {})
    with pytest.raises(CvrError, match="-o frames=2: the videos table has no file of grey"):
        judge.log_odds([Question("", "darker", (), "grey", "dark")])


def test_written_verdicts_are_asked_for_of_backends_that_only_write(films, tmp_path):
    judge = JudgeConfig(backend="echo", options=('text={"verdict": "valid", "reason": "it is so"}',))
    found = find_positives(films / "triplets", [], Config(sample=9), tmp_path / "out", judge=judge)
    rows = [row for row in found.read().to_pylist() if row["judged_by"] == "judge"]
    assert rows and all(row["grade"] == 1 and row["log_odds"] is None for row in rows)
    assert len({row["query_id"] for row in rows}) == len(QUERIES)
