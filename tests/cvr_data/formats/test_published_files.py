"""Published files, imported and exported again: each entry is as it was."""

import csv
import json
from collections import Counter

import pytest

from cvr_data.formats import FORMATS

FASHIONIQ = [f"cap.{category}.{split}.json" for category in ("dress", "shirt", "toptee") for split in ("train", "val")]
PUBLISHED = [
    ("cirr", "cirr", {"split": "val"}, {"cap.rc2.val.json": "captions/cap.rc2.val.json"}),
    ("circo", "circo", {"split": "val"}, {"val.json": "annotations/val.json"}),
    ("fashioniq", "fashioniq", {}, {name: f"captions/{name}" for name in FASHIONIQ}),
    ("egocvr", "egocvr/annotation/egocvr", {}, {"egocvr_annotations.csv": "egocvr_annotations.csv"}),
]


def entries(path):
    """Return the entries of a file, each as sorted JSON, and how often it stands there."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = json.load(file) if path.suffix == ".json" else list(csv.DictReader(file))
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.data
@pytest.mark.parametrize(("name", "folder", "options", "files"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_a_published_file_comes_back_entry_by_entry(real_data, tmp_path, name, folder, options, files):
    module, config = FORMATS.get(name), FORMATS.config(name, options)
    written = {path.name: path for path in module.write(config, module.read(config, real_data / folder), tmp_path)}
    for file, published in files.items():
        assert entries(written[file]) == entries(real_data / folder / published), file
