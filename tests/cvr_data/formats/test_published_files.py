"""Published files, imported and exported again: each entry is as it was."""

import csv
import json
from collections import Counter

import pytest

from cvr_data.core.errors import CvrError
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


ENTRY = {"pairid": 1, "reference": "a", "target_hard": "b", "img_set": {"members": ["a", "b"]}}
CIRR_FILES = [
    ("published", "caption", "captions/cap.rc2.val.json"),
    ("fine", "finemt", "captions/cirr.fine.val.jsonl"),
    ("fine", "finemt", "fine-cirr/finemt_captions/cirr.fine.val.jsonl"),
    ("multi", "mmt", "mmt_captions/cap.rc2.val.mmt.json"),
]


@pytest.mark.parametrize(("texts", "key", "name"), CIRR_FILES, ids=[name for *_, name in CIRR_FILES])
def test_cirr_lists_the_images_of_whoevers_texts_in_a_folder_and_beside_one_file(tmp_path, texts, key, name):
    entry, file = {**ENTRY, key: "make it blue"}, tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(entry if name.endswith("l") else [entry]), encoding="utf-8")
    (tmp_path / "image_splits").mkdir()
    (tmp_path / "image_splits" / "split.rc2.val.json").write_text('{"a": "./dev/a.png", "b": "./dev/b.png"}')
    module = FORMATS.get("cirr")
    for place, split in ((tmp_path, ""), (file, "val")):
        config = FORMATS.config("cirr", {"texts": texts, "split": split})
        assert module.read(config, place).column("modification").to_pylist() == ["make it blue"]
        assert module.read_videos(config, place).column("video_id").to_pylist() == ["a", "b"]


def test_fashioniq_names_the_files_that_it_looked_for(tmp_path):
    module = FORMATS.get("fashioniq")
    for texts, names in (
        ("published", "captions/cap.dress.*.json."),
        ("fine", "captions/fiq.fine.dress.*.jsonl or captions/fiq.fine.dress.*.json or FineMT/"),
        ("multi", "captions/cap.dress.*.mmt.json or mmt_captions/cap.dress.*.mmt.json."),
    ):
        with pytest.raises(CvrError) as told:
            module.read(FORMATS.config("fashioniq", {"texts": texts, "category": "dress"}), tmp_path)
        assert names in str(told.value)
