"""index: ids are found as a dictionary finds them, in a fraction of its memory."""

import gc
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.features.index import ItemIndex

IDS = st.lists(st.text(max_size=2), max_size=12)


def index_of(ids) -> ItemIndex:
    return ItemIndex.of(pa.table({"item_id": pa.array(ids, pa.string())}))


@given(IDS, IDS)
def test_ids_are_found_as_in_a_dictionary(stored, asked):
    rows = {item_id: row for row, item_id in enumerate(stored)}  # of an id that is stored twice the later row
    index = index_of(stored)
    assert index.find(asked).tolist() == [rows.get(item_id, -1) for item_id in asked]
    assert index.ids == list(dict.fromkeys(stored))


def test_equal_hashes_are_not_equal_ids():
    alike = np.array([hash("b")] * 2)
    index = ItemIndex(pa.table({"item_id": ["a", "b"]}), alike, np.array([0, 1]), most_alike=2)
    assert index.find(["b", "c"]).tolist() == [1, -1]


@pytest.mark.slow
def test_an_item_takes_few_bytes():
    columns = pa.table({"item_id": [f"video{number:06d}" for number in range(20_000)]})
    index_of(["warm"]).find(["up"])
    gc.collect()
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        index = index_of(columns.column("item_id").to_pylist())
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - before
    finally:
        tracemalloc.stop()
    assert index.find(["video019999"]).tolist() == [19_999]
    assert taken / 20_000 < 60  # a dictionary of places took 310
