"""run: every pair gets one row; retries, errors, resume, and what the cache makes repeatable."""

import hashlib
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError
from cvr_data.modifications.asking.request import Answer, Request
from cvr_data.modifications.dry_run import dry_run_prompts
from cvr_data.modifications.generate import Config, generate_modifications
from cvr_data.tables import MODIFICATIONS, PAIRS, modification_id
from tests.dataset_folders import mined_pair

WORDS = ["blue", "green", "black", "white", "pink", "grey"]


def write_pairs(folder, count=12, kind="static"):
    rows = []
    for number in range(count):
        after = WORDS[number % len(WORDS)]
        captions = ("a red ball bounces on a beach", f"a {after} ball bounces on a beach")
        change = {"kind": kind, "slot": "attribute", "before": "red", "after": after}
        split = "test" if number % 3 == 0 else "train"
        rows.append(mined_pair((f"r{number}", f"t{number}"), captions, changes=[change], split=split))
    with ArtifactWriter(folder, stage="mine-pairs", overwrite=True) as writer:
        writer.write_part(0, check_columns(pa.Table.from_pylist(rows, schema=PAIRS), PAIRS, "test"))
        return writer.finish().path


@pytest.fixture
def pairs(tmp_path):
    return write_pairs(tmp_path / "pairs")


@pytest.fixture
def generate(pairs, tmp_path):
    def run(out="mods", source=pairs, overwrite=False, **config):
        cache = tmp_path / "cache.sqlite"
        return generate_modifications(source, tmp_path / out, Config(**config), cache=cache, overwrite=overwrite)

    return run


@dataclass(frozen=True, kw_only=True)
class ClockConfig:
    stop_after: int = 1_000_000
    """Answers until Ctrl-C."""


class ClockBackend:
    """A small engine that never says the same twice, counts what it is asked, and may be interrupted."""

    is_pure = False
    model = "clock"
    asked = 0

    def __init__(self, config: ClockConfig):
        self.stop_after = config.stop_after

    def write(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        for number in reversed(range(len(requests))):
            if self.stop_after == 0:
                raise KeyboardInterrupt
            self.stop_after -= 1
            ClockBackend.asked += 1
            tick = hashlib.sha256(str(ClockBackend.asked).encode()).digest()[0] % 3
            after = requests[number].change.after
            text = [f"make the ball {after}", "make the ball shiny", f"turn the ball {after}"][tick]
            yield number, Answer(text=text, tokens_in=5, tokens_out=4)


@pytest.fixture
def clock(monkeypatch):
    module = types.ModuleType("clock.backend")
    module.Config, module.load = ClockConfig, ClockBackend
    monkeypatch.setitem(sys.modules, "clock.backend", module)
    ClockBackend.asked = 0
    return "clock.backend"


def test_every_pair_gets_one_row_in_order(generate, pairs):
    table = generate(backend="rules").read()
    from cvr_data.core.artifacts import open_artifact

    assert table.column("pair_id").to_pylist() == open_artifact(pairs).read().column("pair_id").to_pylist()
    assert table.schema.names[: len(MODIFICATIONS)] == MODIFICATIONS.names
    assert set(table.column("status").to_pylist()) == {"ok"}


def test_a_rejected_text_is_asked_again_under_another_seed(generate):
    rows = generate(backend="rules").read().to_pylist()
    retried = [row for row in rows if row["attempts"] > 1]
    assert all("remove" not in row["modification"] for row in rows)
    assert all(row["seed"] == row["attempts"] - 1 for row in rows)
    first_only = generate("once", backend="rules", attempts=1).read().to_pylist()
    assert [row["pair_id"] for row in first_only if row["status"] == "rejected"] == [row["pair_id"] for row in retried]
    assert all(row["reasons"] == ["misses_change"] for row in first_only if row["status"] == "rejected")


def test_ids_are_those_of_the_tables_module(generate):
    for row in generate(backend="rules", seed=2).read().to_pylist():
        names = ("pair_id", "style", "backend", "model", "prompt_sha256", "seed")
        assert row["modification_id"] == modification_id(**{name: row[name] for name in names})
        assert 2000 <= row["seed"] < 3000


def test_a_request_that_fails_is_an_error_row(generate):
    artifact = generate(backend="echo", options=("fail=pink",))
    rows = artifact.read().to_pylist()
    failed = [row for row in rows if row["status"] == "error"]
    assert len(rows) == 12 and len(failed) == 2
    assert all(row["modification"] is None and row["reasons"] == ["echo was told to fail"] for row in failed)
    assert artifact.manifest["status"] == {"error": 2, "ok": 10}


def test_a_hopeless_text_is_kept_as_rejected_with_every_reason(generate):
    said = "have the boy read a very long book beside a window that looks over the sea"
    artifact = generate(backend="echo", options=(f"text={said}",), attempts=2)
    row = artifact.read().to_pylist()[0]
    assert (row["status"], row["attempts"], row["raw"]) == ("rejected", 2, said)
    assert row["reasons"] == ["too_long", "misses_change"]
    assert artifact.manifest["rejected_attempts"] == {"too_long": 24, "misses_change": 24}


def test_a_pair_without_such_a_change_is_rejected_unasked(generate, tmp_path):
    table = generate(prompt="action", backend="echo").read()
    assert table.column("reasons").to_pylist() == [["no_action_change"]] * 12
    assert table.column("attempts").to_pylist() == [0] * 12


def test_a_second_run_asks_nothing_and_is_byte_identical(generate, clock, tmp_path):
    first = generate(backend=clock)
    asked = ClockBackend.asked
    again = generate("again", backend=clock)
    assert ClockBackend.asked == asked > 0
    assert [path.read_bytes() for path in again.part_paths] == [path.read_bytes() for path in first.part_paths]
    assert again.manifest["requests"]["asked"] == 0


def test_pairs_with_the_same_captions_ask_once_and_get_the_same_text(generate, clock):
    texts = generate(backend=clock, attempts=1).read().to_pylist()
    assert ClockBackend.asked == len(WORDS)
    assert all(texts[number]["raw"] == texts[number + 6]["raw"] for number in range(6))


def test_an_interrupted_run_loses_only_what_was_not_answered(generate, clock, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        generate(backend=clock, options=("stop_after=4",), attempts=1)
    assert not (tmp_path / "mods" / "manifest.json").exists()
    assert generate("resumed", backend=clock, attempts=1).read().num_rows == 12
    assert ClockBackend.asked == len(WORDS)


def test_a_finished_run_is_returned_and_another_config_refused(generate):
    first = generate(backend="rules")
    assert generate(backend="rules").manifest == first.manifest
    with pytest.raises(CvrError, match="holds another artifact"):
        generate(backend="rules", seed=1)
    assert generate(backend="rules", seed=1, overwrite=True).key != first.key


def test_the_text_of_a_pair_does_not_depend_on_the_other_pairs(generate):
    everything = generate(backend="rules").read().to_pylist()
    some = generate("some", backend="rules", limit=5).read().to_pylist()
    assert len(some) == 5
    assert some == [row for row in everything if row in some]


def test_a_limit_takes_a_fixed_sample_that_a_larger_one_contains(generate):
    few, more = (
        generate(f"first-{limit}", backend="rules", limit=limit).read().column("pair_id").to_pylist()
        for limit in (4, 8)
    )
    assert set(few) < set(more) and len(more) == 8


def test_splits_choose_pairs_and_an_unknown_one_is_refused(generate):
    assert generate(backend="rules", splits=("test",)).read().num_rows == 4
    with pytest.raises(CvrError, match=r"no pair is of split 'val' \(splits: test, train\)"):
        generate("other", backend="rules", splits=("val",))


def test_no_pairs_give_no_texts(generate, tmp_path):
    assert generate(source=write_pairs(tmp_path / "none", count=0), backend="rules").read().num_rows == 0


def test_a_dry_run_asks_nothing_and_knows_the_cache(generate, clock, pairs, tmp_path):
    config, cache = Config(backend=clock), tmp_path / "cache.sqlite"
    plan = dry_run_prompts(pairs, config, cache=cache, show=2)
    assert ClockBackend.asked == 0 and not cache.exists()
    assert (plan.pairs, plan.cached, plan.to_ask, len(plan.shown)) == (12, 0, 6, 2)
    assert plan.shown[0].endswith("Video: a red ball bounces on a beach\nInstead of red, show blue.\nEdit:")
    generate(backend=clock)
    assert dry_run_prompts(pairs, config, cache=cache).cached == 12


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"backend": "ruels"}, "Did you mean: rules"),
        ({"prompt": "shrt"}, "Did you mean: short"),
        ({"backend": "echo", "options": ("txt=x",)}, "unknown option 'txt'. Did you mean: text"),
    ],
)
def test_mistakes_are_told_in_one_line(generate, config, message):
    with pytest.raises(CvrError, match=message):
        generate(**config)
