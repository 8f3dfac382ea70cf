"""Several texts per pair, texts about texts, and texts over descriptions."""

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.modifications.dry_run import Prices, dry_run_prompts
from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config
from cvr_data.tables import PAIRS, VIDEOS, modification_id, pair_id
from tests.dataset_folders import mined_pair, write_artifact

CAPTIONS = {"v1": "a red ball bounces", "v2": "a blue ball bounces", "v3": "a green ball bounces"}
WAYS = [("v1", "v2"), ("v2", "v1"), ("v1", "v3")]
"""Pairs: there is no way back from v3."""


@pytest.fixture
def pairs(tmp_path):
    described = {"v1": "A red ball bounces on dry sand. Nobody is there.", "v2": None,
                 "v3": "A green ball bounces on dry sand. Two children watch from a wall."}  # fmt: skip
    videos = [{"video_id": name, "captions": [text], "source": "test", "description": described[name]}
              for name, text in CAPTIONS.items()]  # fmt: skip
    rows = [mined_pair(ids, (CAPTIONS[ids[0]], CAPTIONS[ids[1]])) for ids in WAYS]
    write_artifact(tmp_path / "videos", "import-test", videos, VIDEOS)
    return write_artifact(tmp_path / "pairs", "mine-pairs", rows, PAIRS, videos=tmp_path / "videos")


@pytest.fixture
def generate(pairs, tmp_path):
    def run(out="mods", **config):
        return generate_modifications(pairs, tmp_path / out, Config(**config), cache=tmp_path / "c.sqlite")

    return run


def test_each_candidate_is_a_row_of_its_own_and_none_is_like_another(generate):
    rows = generate(backend="rules", num_texts=3).read().to_pylist()
    assert [row["candidate"] for row in rows] == [0, 1, 2] * 3
    assert len({row["modification_id"] for row in rows}) == 9
    for start in range(0, 9, 3):
        texts = {row["modification"] for row in rows[start : start + 3]}
        assert len(texts) == 3 and {row["status"] for row in rows[start : start + 3]} == {"ok"}
    names = ("pair_id", "style", "backend", "model", "prompt_sha256", "seed")
    assert all(row["modification_id"] == modification_id(**{name: row[name] for name in names}) for row in rows)


def test_more_texts_leave_the_first_ones_as_they_are(generate):
    few = generate("one", backend="rules").read().to_pylist()
    more = generate("three", backend="rules", num_texts=3).read().to_pylist()
    assert [row for row in more if row["candidate"] == 0] == few


def test_a_backend_that_repeats_itself_has_its_duplicates_rejected(generate):
    artifact = generate(backend="echo", options=("text=make the ball $after",), num_texts=2, attempts=2)
    rows = artifact.read().to_pylist()
    assert [row["status"] for row in rows] == ["ok", "rejected"] * 3
    assert [row["reasons"] for row in rows] == [[], ["duplicate"]] * 3
    assert artifact.manifest["reasons"] == {"duplicate": 3}


def test_the_sampling_of_covr_may_be_asked_for(generate):
    artifact = generate(backend="echo", temperature=0.8, top_k=200)
    decoding = artifact.manifest["config"]["decoding"]
    assert all((each["temperature"], each["top_k"]) == (0.8, 200) for each in decoding)


def test_a_paraphrase_belongs_to_the_same_pair_and_style_and_says_otherwise(generate, tmp_path):
    given = {
        row["modification_id"]: row for row in generate("texts", prompt="static", backend="rules").read().to_pylist()
    }
    artifact = generate(prompt="paraphrase", backend="rules", given=tmp_path / "texts")
    rows = artifact.read().to_pylist()
    assert [row["given_id"] for row in rows] == list(given)
    for row in rows:
        source = given[row["given_id"]]
        assert (row["pair_id"], row["style"], row["status"]) == (source["pair_id"], "static", "ok")
        assert row["modification"] != source["modification"] and row["prompt"] == "paraphrase"
    assert set(artifact.manifest["inputs"]) == {"pairs", "given"}


def test_the_way_back_belongs_to_the_swapped_pair_if_there_is_one(generate, tmp_path):
    generate("texts", backend="rules", num_texts=2)
    rows = generate(prompt="reverse", backend="echo", given=tmp_path / "texts", options=("text=$before to $after",))
    rows = rows.read().to_pylist()
    back = pair_id("v2", "v1", CAPTIONS["v2"], CAPTIONS["v1"])
    assert [row["pair_id"] for row in rows[:2]] == [back] * 2
    assert rows[0]["modification"] == "blue to red"
    assert [row["candidate"] for row in rows[:2]] == [0, 1] and rows[1]["reasons"] == ["duplicate"]
    assert [row["reasons"] for row in rows[4:]] == [["pair_not_mined"]] * 2
    assert len({row["modification_id"] for row in rows}) == 6


def test_dense_texts_are_asked_for_over_descriptions_or_else_captions(generate, pairs, tmp_path):
    plan = dry_run_prompts(pairs, Config(prompt="dense", backend="echo"), cache=tmp_path / "c.sqlite")
    ends = [text.split("Reference: ")[-1] for text in plan.shown]
    assert ends[0].startswith("A red ball bounces on dry sand. Nobody is there.\nTarget: a blue ball bounces\n")
    assert "Target: A green ball bounces on dry sand. Two children watch" in ends[2]
    rows = generate(prompt="dense", backend="rules").read().to_pylist()
    assert {reason for row in rows for reason in row["reasons"]} == {
        "unsayable_no_descriptions",
        "unsayable_few_differences",
    }


def test_a_dry_run_tells_tokens_time_and_money_as_far_as_they_are_known(pairs, tmp_path):
    config, cache = (
        Config(backend="tests.cvr_data.modifications.slow_backend", options=(f"log={tmp_path / 'l'}",)),
        tmp_path / "c.sqlite",
    )
    plan = dry_run_prompts(pairs, config, cache=cache)
    assert (plan.to_ask, plan.tokens_out, plan.tokens_out_is_limit) == (3, 3 * 20, True)
    assert plan.seconds is None and plan.cost is None
    plan = dry_run_prompts(pairs, config, cache=cache, prices=Prices(2.0, 6.0, 30.0))
    assert plan.seconds == 2.0
    assert plan.cost == pytest.approx((plan.tokens_in * 2 + 60 * 6) / 1e6)
    generate_modifications(pairs, tmp_path / "mods", config, cache=cache)
    plan = dry_run_prompts(pairs, Config(prompt="static", backend=config.backend, options=config.options), cache=cache)
    assert (plan.to_ask, plan.tokens_out, plan.tokens_out_is_limit) == (3, 3 * 6, False)
    assert plan.seconds is not None and plan.seconds > 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"prompt": "paraphrase"}, "add --from MODIFICATIONS"),
        ({"prompt": "judge"}, "'judge' writes no modification texts"),
        ({"prompt": "short", "given": "pairs"}, "--from is for prompts that paraphrase or reverse"),
        ({"num_texts": 51}, "num_texts must be between 1 and 50"),
        ({"num_texts": 2, "attempts": 21}, "attempts must be at most 20"),
    ],
)
def test_mistakes_are_told_in_one_line(generate, config, message):
    with pytest.raises(CvrError, match=message):
        generate(backend="rules", **config)


def test_the_commands_take_and_show_them(cvr, pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cvr.done("generate-modifications", pairs, "--llm", "rules", "--num-texts", "2")
    shown = cvr("sample", "modifications/short-rules", "-n", "1").out
    assert shown.count("reference") == 1 and shown.count("text  ") == 2
    outcome = cvr.done(
        "generate-modifications", "--from", "modifications/short-rules", "--style", "reverse", "--llm", "rules"
    )
    assert "modifications/reverse-rules: 6 texts" in outcome.out and "pair_not_mined" in outcome.out
    told = cvr("generate-modifications", pairs, "--llm", "echo", "--dry-run", "--price-in", "1", "--tokens-per-s", "10")
    assert "time    about 6 s" in told.out and "cost    about 0.00" in told.out
    assert "task: judge" in cvr("show", "judge").out
