"""Every benchmark, on its hand-written sample: what is ranked, for whom, and what any model makes of it."""

from types import ModuleType

import pytest

from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.data.benchmark import data_option_names
from cvr_bench.models import MODELS
from cvr_bench.scoring.evaluate import evaluate
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from tests.benchmark_samples import SAMPLES, examples_of, sample_task

VARIANTS = [(name, options) for name in BENCHMARKS.names() for options in examples_of(BENCHMARKS.get(name))]
OF_THE_FIELD = data_option_names()


def load(name, **options):
    """The task of a sample, or of other `annotations`."""
    folder = options.pop("annotations", None)
    return sample_task(name, " ".join(f"{key}={value}" for key, value in options.items()), folder)


@pytest.fixture(params=VARIANTS, ids=lambda variant: " ".join(variant))
def variant(request):
    """(task, queries and gallery items that it should have)."""
    name, options = request.param
    return sample_task(name, options), BENCHMARKS.get(name).EXAMPLE[options]


@pytest.mark.parametrize("name", OF_THE_FIELD)
def test_a_benchmark_says_its_paper_licence_and_files(name):
    words = BENCHMARKS.describe(name).split()
    assert all(word in words for word in ("Paper:", "Licence:", "Files:"))


def test_queries_and_gallery_are_those_of_the_sample(variant):
    task, size = variant
    assert (len(task.queries), len(task.gallery)) == size


def test_a_benchmark_without_an_example_or_a_sample_fails(tmp_path):
    with pytest.raises(AttributeError, match="EXAMPLE"):
        examples_of(ModuleType("without"))
    with pytest.raises(CvrError, match="does not exist"):
        sample_task("triplets", folder=tmp_path / "none")


def test_random_and_constant_models_are_ranked(variant):
    task, _ = variant
    encoder = ENCODERS.get("hash").load(ENCODERS.get("hash").TINY)
    for name in ("random", "constant"):
        component = MODELS.get(name)
        ranks = evaluate(component.load(component.TINY, encoder), task)
        targets = [len(ids) for ids in ranks.target_ids]
        last = [int(allowed) - count + 1 for allowed, count in zip(ranks.allowed, targets, strict=True)]
        assert all(1 <= rank <= most for rank, most in zip(ranks.rank, last, strict=True))
        if name == "constant":
            assert ranks.rank.tolist() == last


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path):
    for name in OF_THE_FIELD:
        with pytest.raises(CvrError, match=r"is not in .*; get it from .*https?://") as caught:
            BENCHMARKS.get(name).load(BENCHMARKS.config(name, {"annotations": str(tmp_path)}))
        assert "\n" not in str(caught.value)


def test_a_file_that_is_not_whole_is_refused_with_both_counts():
    with pytest.raises(CvrError, match=r"cap\.rc2\.val\.json has 3 queries, not 4181; 8 images, not 2297 as published"):
        load("cirr", counts="published")


def test_targets_kept_by_a_server_cannot_be_scored():
    with pytest.raises(CvrError, match="targets of test1 are not published"):
        load("cirr", split="test1")
    with pytest.raises(CvrError, match="targets of test are not published"):
        load("circo", split="test")
    with pytest.raises(CvrError, match="targets of challenge-test are not published"):
        load("dense-webvid-covr", split="challenge-test")


def test_a_description_reaches_the_query():
    query = load("dense-webvid-covr").queries[2]
    assert query.description == "A man in a blue shirt sits on a chair and plays the guitar."
    assert load("webvid-covr").queries[1].description == "Red tulips in a garden"


def test_both_files_of_finecvr_give_the_same_task():
    remapped, names = load("finecvr"), load("finecvr", ids="names")
    assert remapped == names
    assert remapped.queries[0].modification == 'a woman instead of a man, who says "hello"'
    assert remapped.queries[3].modification == ""
    assert remapped.targets["row-1"] == {"abcdefghij0_000002_000012"}
    assert remapped.slices["source"] == {"row-0": "msrvtt", "row-1": "an", "row-2": "ag", "row-3": "hvu"}


def test_a_gap_in_the_ids_of_finecvr_is_refused(tmp_path):
    (tmp_path / "test_remaped.txt").write_text("0\t0\t2\tx\n")
    (tmp_path / "id2vdoname_test.json").write_text('{"0": "a", "2": "b"}')
    with pytest.raises(CvrError, match="without a gap"):
        load("finecvr", annotations=tmp_path)


def test_egocvr_ranks_locally_what_its_gallery_file_lists():
    task = load("egocvr", gallery="local")
    assert [task.candidates[query.query_id] for query in task.queries] == [
        {"aaaa_9_17", "aaaa_20_28", "aaaa_30_38"},
        {"aaaa_0_8", "aaaa_20_28", "aaaa_30_38"},
        {"bbbb_1_9", "bbbb_11_19", "bbbb_21_29"},
    ]
    assert task.ks == (1, 2, 3)
    assert task.left_out == {"queries whose only target is their reference": 1}


def test_egocvr_keeps_every_query_where_references_are_ranked():
    assert len(load("egocvr", reference="keep").queries) == 4
    assert load("egocvr", text="modified-caption").queries[0].modification == "#C C puts down the cup."


def test_another_order_of_the_clips_of_egocvr_is_noticed(tmp_path):
    folder = SAMPLES / "egocvr" / "annotation" / "egocvr"
    gallery = (folder / "egocvr_annotations_gallery.csv").read_text()
    header, *clips = (folder / "egocvr_data.csv").read_text().splitlines()
    (tmp_path / "egocvr_annotations_gallery.csv").write_text(gallery)
    (tmp_path / "egocvr_data.csv").write_text("\n".join([header, *clips[::-1]]))
    with pytest.raises(CvrError, match=r"local_idx of .* lacks a target"):
        load("egocvr", annotations=tmp_path, gallery="local")


def test_a_set_of_cirr_is_ranked_without_its_reference():
    task = load("cirr", gallery="subset")
    query = task.queries[0]
    allowed = [item.item_id for item in task.gallery if task.is_allowed(query, item.item_id)]
    assert allowed == ["dev-1-0-img1", "dev-2-1-img0", "dev-2-3-img1", "dev-5-0-img0", "dev-6-2-img1"]


def test_both_captions_of_fashioniq_are_one_text():
    given = load("fashioniq", category="dress")
    assert given.queries[1].modification == "is darker and has no print"
    swapped = load("fashioniq", category="dress", order="swapped")
    assert swapped.queries[1].modification == "has no print and is darker"
    assert swapped.protocol.key != given.protocol.key


def test_a_query_of_fashioniq_is_ranked_within_its_category():
    task = load("fashioniq")
    shirts = {name for name, category in task.slices["category"].items() if category == "shirt"}
    assert len(shirts) == 3
    assert all(task.candidates[name] == {f"B00S{number:05}" for number in range(6)} for name in shirts)
    assert list(task.means) == ["avgR@10", "avgR@50"]


def test_means_are_those_that_the_papers_report():
    assert load("webvid-covr").means["meanR3"].of == ("R@1", "R@5", "R@10")
    assert load("dense-webvid-covr").means["meanR4"].of == ("R@1", "R@5", "R@10", "R@50")
    assert load("cirr").means["Avg"].of == ("R@5", "R_sub@1")
    assert load("cirr").subset_ks == (1, 2, 3)
    assert load("cirr").subset == load("cirr", gallery="subset").candidates


def test_targets_of_circo_and_tf_covr_are_several():
    assert load("circo").targets == {"0": {"102", "103"}, "1": {"105"}}
    assert load("circo").slices["negation"] == {"1": "yes"}
    assert load("tf-covr").targets["row-2"] == {"gym_02", "gym_03", "gym_04"}
    assert load("tf-covr").map_ks == (5, 10, 25, 50)


def test_paragraphs_join_the_sentences_of_a_video_in_order():
    assert load("activitynet").queries[0].modification == "A man lifts a weight. He puts it down."
    task = load("didemo")
    assert task.queries[0].modification == "the bird lands. it flies off again."
    assert task.left_out == {"descriptions of videos that are not listed": 1}


def test_every_caption_of_a_clip_is_a_query_of_its_own():
    task = load("msvd")
    assert [query.modification for query in task.queries[:2]] == ["a man cooks", "someone is cooking"]
    assert task.targets["abc_0_5#1"] == {"abc_0_5"}
    turned = load("msvd", direction="video-to-text")
    assert turned.targets["abc_0_5"] == {"abc_0_5#0", "abc_0_5#1"}
    assert turned.gallery[1].text == "someone is cooking"


def test_captions_that_ask_for_code_are_refused(tmp_path):
    (tmp_path / "test_list.txt").write_text("a\n")
    (tmp_path / "raw-captions.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(CvrError, match=r"cannot be read as a pickle of captions .it asks for (os|posix)\.system"):
        load("msvd", annotations=tmp_path)


def test_quotes_of_lsmdc_are_part_of_the_sentence():
    assert load("lsmdc").queries[1].modification == 'The sign reads "closed".'


def test_msrvtt_reads_the_shape_of_frozen_in_time_too(tmp_path):
    notes = '{"annotations": [{"image_id": "video1", "caption": "a dog"}, {"image_id": "video2", "caption": "a cat"}]}'
    (tmp_path / "MSR_VTT.json").write_text(notes)
    (tmp_path / "MSRVTT_train.7k.csv").write_text("video_id\nvideo2\n")
    task = load("msrvtt", annotations=tmp_path, split="7k")
    assert [(query.query_id, query.modification) for query in task.queries] == [("video2#0", "a cat")]
    (tmp_path / "MSRVTT_train.7k.csv").write_text("video_id\nvideo3\n")
    with pytest.raises(CvrError, match="lists video3, which has no caption"):
        load("msrvtt", annotations=tmp_path, split="7k")
