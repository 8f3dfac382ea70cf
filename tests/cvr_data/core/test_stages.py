"""engine: where a stage runs never changes what it makes."""

from dataclasses import dataclass
from types import ModuleType

import pyarrow as pa
import pytest

from cvr_data.core import stages as engine
from cvr_data.core.artifacts import ArtifactWriter, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.filters import max_words
from cvr_data.tables import PAIRS, pair_id
from tests.cvr_data.core import word_count_stage


@pytest.fixture
def pairs(tmp_path):
    """An artifact of ten pairs whose captions have one to ten words."""
    captions = [" ".join(["word"] * length) for length in range(1, 11)]
    rows = [
        {
            "pair_id": pair_id("a", str(n), text, text), "reference_id": "a", "target_id": str(n), "changes": [],
            "reference_caption": text, "target_caption": text, "strategy": "given",
        }
        for n, text in enumerate(captions)
    ]  # fmt: skip
    with ArtifactWriter(tmp_path / "pairs", stage="mine-pairs") as writer:
        writer.write_part(0, pa.Table.from_pylist(rows, schema=PAIRS))
        writer.finish()
    return tmp_path / "pairs"


@dataclass(frozen=True, kw_only=True)
class Keep:
    longest: int = 4


def stage_of(rows: int | None) -> ModuleType:
    """Return a real stage over pairs as a module: drops captions of more than `longest` words."""
    stage = ModuleType("long-captions")
    stage.Config, stage.VERSION, stage.INPUTS, stage.OUTPUT = Keep, 1, {"pairs": PAIRS}, PAIRS
    if rows:
        stage.ROWS = rows

    def run(config: Keep, table: pa.Table) -> pa.Table:
        lengths = [len(caption.split()) for caption in table.column("reference_caption").to_pylist()]
        reasons = [f"more than {config.longest} words" if length > config.longest else None for length in lengths]
        return table.append_column("drop_reason", pa.array(reasons, pa.string()))

    stage.run = run
    return stage


def test_a_removed_row_is_written_with_its_reason_and_counted(pairs, tmp_path):
    artifact = engine.run_stage(stage_of(None), Keep(longest=4), {"pairs": pairs}, tmp_path / "out")
    assert artifact.manifest["rows"] == 4
    assert artifact.manifest["dropped"] == {"more than 4 words": 6}
    assert artifact.dropped().num_rows == 6


@pytest.mark.parametrize("rows", [1, 3, 4, 100])
def test_the_size_of_a_slice_does_not_change_the_rows(pairs, tmp_path, rows):
    whole = engine.run_stage(stage_of(None), Keep(), {"pairs": pairs}, tmp_path / "whole").read()
    assert engine.run_stage(stage_of(rows), Keep(), {"pairs": pairs}, tmp_path / "out").read().equals(whole)


def test_running_again_makes_nothing_new(pairs, tmp_path):
    first = engine.run_stage(stage_of(None), Keep(), {"pairs": pairs}, tmp_path / "out")
    stamp = (tmp_path / "out" / "part-00000.parquet").stat().st_mtime_ns
    again = engine.run_stage(stage_of(None), Keep(), {"pairs": pairs}, tmp_path / "out")
    assert again.key == first.key
    assert (tmp_path / "out" / "part-00000.parquet").stat().st_mtime_ns == stamp


def test_another_config_in_the_same_folder_is_refused(pairs, tmp_path):
    engine.run_stage(stage_of(None), Keep(), {"pairs": pairs}, tmp_path / "out")
    with pytest.raises(CvrError, match=r"longest = 4, not 5"):
        engine.run_stage(stage_of(None), Keep(longest=5), {"pairs": pairs}, tmp_path / "out")


def test_workers_give_byte_identical_parts(pairs, tmp_path):
    config = word_count_stage.Config()
    for workers in (1, 2):
        engine.run_stage(word_count_stage, config, {"pairs": pairs}, tmp_path / f"w{workers}", workers=workers)
    one, two = (sorted((tmp_path / f"w{workers}").glob("*.parquet")) for workers in (1, 2))
    assert len([path for path in one if path.name.startswith("part-")]) == 5
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_a_filter_is_a_stage_too(pairs, tmp_path):
    config = max_words.Config(max_words=3)
    kept = max_words.run(config, open_artifact(pairs).read())
    assert kept.column("drop_reason").null_count == 3
