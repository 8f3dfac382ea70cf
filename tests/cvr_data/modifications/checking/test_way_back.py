"""score-modifications --way-back: a text whose way back was rejected is rejected, and no other."""

import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.tables import MODIFICATIONS
from tests.dataset_folders import write_artifact, write_texts


@pytest.mark.engine
def test_a_text_of_which_no_way_back_was_accepted_is_rejected(tmp_path, cvr):
    texts = write_texts(tmp_path)
    given = [row for row in open_artifact(texts).read().to_pylist() if row["status"] == "ok"]
    said = [("ok", []), ("rejected", ["wrong_direction"]), ("rejected", ["pair_not_mined"])]
    back = [
        {**row, "modification_id": f"back-{number}", "given_id": row["modification_id"], "status": status,
         "reasons": reasons} for number, (row, (status, reasons)) in enumerate(zip(given, said, strict=False))
    ]  # fmt: skip
    back.append({**back[0], "modification_id": "again", "status": "rejected", "reasons": ["misses_change"]})
    schema = MODIFICATIONS.append(pa.field("given_id", pa.string()))
    folder = write_artifact(tmp_path / "back", "generate-modifications", back, schema)
    words = ("score-modifications", texts, "--way-back", folder, "--out", tmp_path / "scored")
    assert (outcome := cvr(*words)).code == 0, outcome.err
    rows = {row["modification_id"]: row for row in open_artifact(tmp_path / "scored").read().to_pylist()}
    told = [(rows[row["modification_id"]]["status"], rows[row["modification_id"]]["reasons"]) for row in given]
    assert told[:2] == [("ok", []), ("rejected", ["no_way_back"])]
    assert all(each == ("ok", []) for each in told[2:])
    assert not [name for name in next(iter(rows.values())) if name.startswith("_")]
