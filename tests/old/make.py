"""Makes 43be64f.tar.xz: what cvr wrote at commit 43be64f, one of each kind. It runs at that commit and is no test.

    git worktree add /tmp/cvr-43be64f 43be64f
    cp tests/old/make.py /tmp && mkdir /tmp/43be64f && cd /tmp/43be64f
    PYTHONPATH=/tmp/cvr-43be64f OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python ../make.py
    cd .. && tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cJf 43be64f.tar.xz 43be64f

Everything is tiny: `hash` features of a synthetic world, rules and echo for texts, and language models of a few
thousand random weights, which are not kept. codes.json has the commands that did not end with 0.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import cli

HERE = Path.cwd()
WORDS = {
    "hash": "--encoder hash -o dim=4 -o frames=1",
    "small": "-o projection=4 -o hidden=4",
    "quick": "-t epochs=1 -t batch_size=16",
    "long": "-t epochs=400 -t batch_size=4 -t patience=0",
    "cache": "--cache requests.sqlite",
    "lm": "-o model={model} -o device=cpu -o dtype=float32",
    "vlm": "-o model={vision} -o device=cpu -o dtype=float32",
    "tuning": "-o epochs=1 -o batch_size=2 -o held_out=0.5 -o dtype=bfloat16 -o device=cpu",
    "once": "--limit 2 --attempts 1",
    "plain": "--prompt corpora/prompt.yaml",
    "to": "--out ",
}
STEPS = """
import synthetic --out videos -o train=10 -o val=6 -o test=8 -o render=false
import synthetic --out videos-rendered -o train=0 -o val=0 -o test=6 -o size=32 -o workers=1
import table corpora/captions.csv --out videos-table
import table corpora/media.csv --out videos-media -o id=file -o video=file
import folder corpora/clips --out videos-folder
import images corpora/images --out videos-images
import webvid corpora/webvid.csv --out videos-webvid -o repeated=captions
import msrvtt corpora/msrvtt.json --out videos-msrvtt
import msvd corpora/msvd --out videos-msvd
import vatex corpora/vatex_training_v1.0.json --out videos-vatex
embed videos --out embeddings {hash}
embed videos-rendered --out embeddings-0 --num-shards 2 --shard-id 0 {hash}
embed videos-rendered --out embeddings-1 --num-shards 2 --shard-id 1 {hash}
merge embeddings-0 embeddings-1 --out embeddings-merged
export-embeddings embeddings-merged --layout npz --out features-npz
import-embeddings features-npz --layout npz --out embeddings-imported
split videos --embeddings embeddings --out videos-split
split videos --embeddings embeddings --keep videos-split --out videos-kept
fit-heads embeddings --videos videos-split -o epochs=1 -o dim=4
mine-pairs videos-split --embeddings embeddings --out pairs
mine-pairs videos-split --strategy one-phrase --out pairs-one-phrase --filter none
mine-pairs videos-split --strategy neighbors --embeddings embeddings -o low=0.9 -o k=1 --filter none {to}pairs-neighbors
mine-pairs videos-split --strategy given -o path=corpora/pairs.csv --out pairs-given --filter none
mine-pairs videos-split --strategy concept -o neighbours=1 --out pairs-concept --filter none
mine-pairs videos-rendered --out pairs-rendered
generate-modifications pairs --llm rules {cache} --limit 16 --out modifications/rules
generate-modifications pairs --style static --llm rules {cache} --limit 4 --out modifications/static
generate-modifications pairs --style action --llm rules {cache} --limit 4 --out modifications/action
generate-modifications pairs --style dense --llm rules {cache} --limit 4 --out modifications/dense
generate-modifications pairs --llm echo {cache} --limit 6 --out modifications/echo
generate-modifications pairs {plain} --llm transformers {lm} {cache} {once} {to}modifications/transformers
generate-modifications pairs-rendered --llm rules {cache} --out modifications/rendered
truth-modifications pairs --split test --out modifications/truth
score-modifications modifications/echo {cache} --judge-backend echo --judge-option text=correct {to}modifications/scored
describe-videos videos-rendered --llm transformers {vlm} --replace --attempts 1 {cache} --out videos-described
train-generator corpora/examples.jsonl --model {model} {tuning} --out generator
build-triplets modifications/rules --name old --embeddings embeddings
build-triplets modifications/truth --name plain -o max_per_target=1
build-triplets modifications/rendered --name rendered
import triplets annotations/plain/webvid_covr_test.csv -o format=webvid-covr --out annotations/imported
mine-distractors annotations/old videos --embeddings embeddings --out distractors
frame-scores annotations/plain --embeddings embeddings --out annotations/frame-scored
check-media annotations/rendered --out media-check --drop-missing annotations/there
bench --model sum --data annotations/old --save-scores --out results
bench --model combiner --data annotations/old {small} {quick} --out results
bench --model fdca --data annotations/old -o width=8 -o heads=2 {quick} --no-audit --out results
bench --model sum --data annotations/old --distractors distractors --no-audit --out results/with-distractors
bench --model combiner --checkpoint results/combiner-old --data annotations/old {small} --no-audit {to}results/checked
audit annotations/old --out audit
encode-queries --model sum --data annotations/old --out query-features
score query-features --data annotations/old
review annotations/old
export-judgments reviews/old.sqlite --out judgments
build-triplets modifications/rules --name judged --judgments judgments
export annotations/old --format parquet --out export
publish annotations/old --repo me/old --dry-run --staging staging
download annotations mine --urls corpora/urls.csv --attempts 1 --out downloaded
run recipe.yaml
unfinished bench --model combiner --data annotations/old {small} {long} --no-audit --out unfinished
unfinished import synthetic --out unfinished/videos -o train=12 -o val=0 -o test=0 -o size=32 -o workers=1
"""


def write_inputs() -> None:
    """Write the corpora that are read."""
    corpora = HERE / "corpora"
    (corpora / "clips").mkdir(parents=True)
    (corpora / "images").mkdir()
    (corpora / "msvd").mkdir()
    from cvr_data.video import write_mp4
    from PIL import Image

    for name, shade in (("a", 60), ("b", 180)):
        write_mp4(corpora / "clips" / f"{name}.mp4", np.full((2, 16, 16, 3), shade, np.uint8))
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(corpora / "images" / f"{name}.png")
    (corpora / "clips" / "captions.csv").write_text("file,caption\na.mp4,a dog runs\nb.mp4,a cat runs\n")
    (corpora / "media.csv").write_text("file,caption\nclips/a.mp4,a dog runs\nclips/b.mp4,a cat runs\n")
    (corpora / "captions.csv").write_text("video_id,caption\nv1,a dog runs\nv2,a cat runs\nv3,\n")
    (corpora / "webvid.csv").write_text(
        "videoid,contentUrl,duration,page_dir,name\nw1,http://x/1.mp4,PT00H00M05S,p,a dog\n"
        "w2,http://x/2.mp4,PT00H00M07S,p,a cat\n"
    )
    sentences = [{"video_id": "video0", "caption": "a man sings"}, {"video_id": "video1", "caption": "a man talks"}]
    videos = [{"video_id": f"video{n}", "split": "train", "url": "u", "start time": 0, "end time": 5} for n in (0, 1)]
    (corpora / "msrvtt.json").write_text(json.dumps({"sentences": sentences, "videos": videos}))
    (corpora / "msvd" / "AllVideoDescriptions.txt").write_text("# x\nm_0_1 a man cooks\nm_0_1 a man eats\n")
    vatex = [{"videoID": "abcdefghijk_000001_000011", "enCap": ["a man juggles"], "chCap": ["x"]}]
    (corpora / "vatex_training_v1.0.json").write_text(json.dumps(vatex))
    (corpora / "pairs.csv").write_text("reference_id,target_id\ntrain-00000,train-00001\ntest-00002,test-00003\n")
    lines = [
        {"input": f"a {before} ball", "edit": f"make it {after}", "output": f"a {after} ball"}
        for before in ("red", "blue") for after in ("green", "white")
    ]  # fmt: skip
    (corpora / "examples.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (corpora / "urls.csv").write_text("id,url\ngone,http://127.0.0.1:9/gone.csv\n")
    (corpora / "prompt.yaml").write_text(
        "summary: For tests.\nsource: Our own.\nstyle: short\nchanges: any\nsystem: ''\nuser: $before to $after\n"
        "lead: x\nmax_examples: 0\nexamples: []\n"
    )
    (HERE / "recipe.yaml").write_text(
        "name: old\nsummary: For tests.\nvariables: {train: 4}\nsteps:\n"
        "  - cvr import synthetic --out run/videos -o train=$train -o val=2 -o test=2 -o render=false\n"
        "  - cvr embed run/videos --out run/embeddings --encoder hash -o dim=4 -o frames=1\n"
    )


def judge() -> None:
    """Judge ten items of a review, as its page does, and take one judgment back."""
    from cvr_data.review import serve
    from cvr_data.review.session import Settings
    from cvr_data.review.store import ReviewStore

    settings = Settings(annotators=("ann", "ben"), overlap=0.5)
    sources = serve.Sources(reviewed=HERE / "annotations/old", splits=("test",))
    with ReviewStore(HERE / "reviews/old.sqlite") as store:
        session = serve.open_review_session(sources, serve.read_review_sources(sources, settings), store, settings)
        for number in range(10):
            annotator = settings.annotators[number % 2]
            item = session.state(annotator)["item"]
            decision = ("accept", "edit", "reject", "skip")[number // 2 % 4]
            said = {"chosen": item["texts"][0], "modification": "another text", "reason": "bad_text"}
            session.judge(
                annotator, {"item_id": item["item_id"], "decision": decision, "request_id": str(number), **said}
            )
        session.undo("ann", "8")


def until_begun(words: list[str]) -> None:
    """Run a command until some of its files are there, and kill it."""
    folder = HERE / words[words.index("--out") + 1]
    process = subprocess.Popen([sys.executable, "-c", "import cli; cli.main()", *words])
    while process.poll() is None and not [*folder.rglob("resume.pt"), *list(folder.rglob("media/*.mp4"))[2:]]:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def main() -> None:
    """Run every step."""
    os.environ["CVR_CACHE"] = str(HERE / "cache")
    write_inputs()
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(Path(cli.__file__).parent))
        from tests.tiny_language_models import save_language_model, save_vision_language_model

        model, vision = save_language_model(Path(folder) / "lm"), save_vision_language_model(Path(folder) / "vlm")
        words = {name: text.format(model=model, vision=vision) for name, text in WORDS.items()} | {"model": model}
        codes = {}
        for line in STEPS.strip().splitlines():
            name, *options = line.format(**words).split()
            if name == "unfinished":
                until_begun(options)
            elif name == "review":
                judge()
            else:
                sys.argv = ["cvr", name, *options]  # what a manifest says of its command
                codes[line] = cli.run([name, *options])
    (HERE / "codes.json").write_text(json.dumps({line: code for line, code in codes.items() if code}, indent=1))
    for name in ("staging", "cache", "features-npz", "embeddings-merged/heads"):
        shutil.rmtree(HERE / name, ignore_errors=True)


if __name__ == "__main__":
    main()
