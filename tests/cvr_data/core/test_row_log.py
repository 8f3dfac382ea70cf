"""row_log: the last row of a key counts, whatever file holds it, and merging files loses none."""

import pyarrow as pa

from cvr_data.core.row_log import MERGE_FROM, RowLog

SCHEMA = pa.schema([("name", pa.string()), ("state", pa.string()), ("when_s", pa.float64())])


def opened(folder, prefix=""):
    return RowLog(folder, SCHEMA, key="name", when="when_s", prefix=prefix)


def write(folder, rows, prefix=""):
    log = opened(folder, prefix)
    for name, state, when_s in rows:
        log.add({"name": name, "state": state, "when_s": when_s})
    log.flush()


def states(log):
    return {name: row["state"] for name, row in log.known.items()}


def test_the_latest_row_of_a_key_counts_in_any_order_of_the_files(tmp_path):
    write(tmp_path, [("a", "new", 2.0), ("b", "only", 1.0)])
    write(tmp_path, [("a", "old", 1.0)])
    assert states(opened(tmp_path)) == {"a": "new", "b": "only"}


def test_many_files_are_merged_into_one_with_every_key(tmp_path):
    for number in range(MERGE_FROM):
        write(tmp_path, [(f"n{number}", "ok", float(number))])
    assert len(list(tmp_path.glob("*.parquet"))) == MERGE_FROM
    assert set(opened(tmp_path).known) == {f"n{number}" for number in range(MERGE_FROM)}
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    assert len(opened(tmp_path).known) == MERGE_FROM


def test_a_log_leaves_the_files_of_other_names_alone(tmp_path):
    for _ in range(MERGE_FROM):
        write(tmp_path, [("a", "theirs", 1.0)], prefix="one-")
    write(tmp_path, [("b", "mine", 1.0)], prefix="two-")
    assert states(opened(tmp_path, "two-")) == {"b": "mine"}
    assert len(list(tmp_path.glob("one-*.parquet"))) == MERGE_FROM


def test_what_is_not_flushed_is_known_but_not_on_disk(tmp_path):
    log = opened(tmp_path)
    log.add({"name": "a", "when_s": 1.0})
    assert log.known["a"] == {"name": "a", "state": None, "when_s": 1.0}
    assert not list(tmp_path.glob("*.parquet"))
