"""A folder with one of each kind of what cvr reads and writes, tiny, and the commands that read it."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

import cli
from cvr_data.media.video import write_mp4
from cvr_data.review import serve
from cvr_data.review.session import Settings
from cvr_data.review.store import ReviewStore

SAMPLES = Path(__file__).resolve().parents[2] / "annotations" / "samples"
STEPS = """
import synthetic --out videos -o train=8 -o val=6 -o test=8 -o render=false
import synthetic --out videos-rendered -o train=0 -o val=0 -o test=4 -o size=32 -o workers=1
embed videos --out embeddings --encoder hash -o dim=4 -o frames=1
embed videos-rendered --out shard-0 --num-shards 2 --shard-id 0 --encoder hash -o dim=4 -o frames=1
embed videos-rendered --out shard-1 --num-shards 2 --shard-id 1 --encoder hash -o dim=4 -o frames=1
export-embeddings embeddings --layout npz --out features/npz
export-embeddings embeddings --layout npy --out features/npy
export-embeddings embeddings --layout pth --out features/pth
export-embeddings embeddings --layout h5 --out features/h5
split videos --out videos-split
fit-heads embeddings --videos videos -o epochs=1 -o dim=4
mine-pairs videos --embeddings embeddings --out pairs --filter none
mine-pairs videos-rendered --out pairs-rendered --filter none
generate-modifications pairs --llm rules --cache requests.sqlite --out texts
generate-modifications pairs-rendered --llm rules --cache requests.sqlite --out texts-rendered
build-triplets texts --out triplets --embeddings embeddings
build-triplets texts-rendered --out triplets-rendered
mine-distractors triplets videos --embeddings embeddings --out distractors
check-media triplets-rendered --out media-check
bench --model sum --data triplets --embeddings embeddings --save-scores --out results
bench --model combiner --data triplets --embeddings embeddings {small} -t epochs=1 --no-audit --out results
encode-queries --model sum --data triplets --embeddings embeddings --out query-features
export-result results/sum-triplets --format trec --out trec
score query-features --data triplets
export-judgments review.sqlite --out judgments
export triplets --format webvid-covr --out exported
run recipe.yaml
"""
WORDS = {
    "small": "-o projection=4 -o hidden=4", "judge": "--judge-backend echo --judge-option text=correct",
    "media": "--videos videos-rendered --licence-file corpora/licence.txt",
}  # fmt: skip
COMMANDS = """
download videos mine --urls corpora/urls.csv --only-ids corpora/captions.csv --out new --dry-run
download annotations corpora/source.yaml --out new --dry-run
data-status --embeddings embeddings
import table corpora/captions.csv --out new
import folder corpora/clips --out new
import triplets exported -o format=webvid-covr --out new
embed videos --encoder hash -o dim=4 -o frames=1 --only corpora/ids.csv --out new
embed pairs --column reference_caption --encoder hash -o dim=4 --out new
merge shard-0 shard-1 --out new
import-embeddings features/npz --layout npz --texts embeddings --only corpora/ids.csv --out new
import-embeddings features/npy --layout npy --out new
import-embeddings features/pth --layout pth --out new
import-embeddings features/h5 --layout h5 --out new
export-embeddings embeddings --layout npz --only corpora/ids.csv --out new
export-embeddings embeddings --layout pth --texts videos --out new
split videos --embeddings embeddings --keep videos-split --out new
filter-videos videos-rendered -f blur -f near-duplicate --measures new-measures --out new
describe-videos videos-rendered --llm echo --prompt corpora/describe.yaml --cache requests.sqlite --out new
fit-heads shard-0 --from embeddings
mine-pairs videos --embeddings embeddings --out new
mine-pairs videos --strategy given -o path=corpora/pairs.csv --filter none --out new
mine-pairs videos --strategy concept -o targets=1 --filter none --out new
generate-modifications pairs --llm rules --cache requests.sqlite --out new
generate-modifications pairs --llm echo --prompt corpora/prompt.yaml --cache requests.sqlite --out new
generate-modifications pairs --style paraphrase --from texts --llm echo --cache requests.sqlite --out new
truth-modifications pairs --out new
score-modifications texts --pairs pairs --cache requests.sqlite {judge} --out new
build-triplets texts --pairs pairs --videos videos --embeddings embeddings --judgments judgments --out new
frame-scores triplets --embeddings embeddings --out new
mine-distractors triplets videos --embeddings embeddings --out new
chain-pairs pairs --out new
vary-texts texts --out new
plan pairs --llm rules -n 2 --cache requests.sqlite --out new
find-positives triplets -r results/sum-triplets --out new
review-report review.sqlite
export-judgments review.sqlite --out new
check-media triplets-rendered --videos videos-rendered --out media-check --drop-missing new
export triplets-rendered --format huggingface --videos videos-rendered --out new
publish triplets-rendered --repo me/mine --dry-run --with-videos {media}
bench --model sum --data triplets --embeddings embeddings --distractors distractors --no-audit --out new
bench --model combiner --checkpoint results/combiner-triplets --data triplets {small} --no-audit -O new
bench --model combiner --checkpoint corpora/weights.pt --data triplets {small} --no-audit -O new
audit triplets --embeddings embeddings --out new
audit results/sum-triplets
compare results/sum-triplets results/combiner-triplets
compare --protocols results/sum-triplets
explain-query QUERY --in results/sum-triplets --videos videos
queries results/sum-triplets --worst 3
export-result results/sum-triplets --format trec --out new
export-result results/sum-triplets --format mteb --out new.json
score trec/run.trec --data triplets --qrels trec/qrels.trec --out new
report results/sum-triplets results/combiner-triplets --triplets triplets --timings timings.json --out new.html
encode-queries --model combiner --checkpoint results/combiner-triplets --data triplets --out new
score query-features --data triplets
submit cirr --check corpora/cirr.json
import-checkpoint corpora/weights.pt --model combiner --out new
import-checkpoint corpora/weights.pt --model covr-blip --out new
published corpora
list models
show corpora
stats triplets --videos videos --html new.html
map triplets --embeddings embeddings --videos videos --clips 2 --out new.html
sample texts --pairs pairs
trace triplets
verify triplets results/sum-triplets
diff triplets triplets-rendered --results results/sum-triplets
explain TRIPLET --in triplets
why-not train-00000 train-00001 --in pairs
show-wti red corpora/clips/a.mp4 --checkpoint results/combiner-triplets
two-way results/sum-triplets --out new.txt
run recipe.yaml --dry-run
train-generator corpora/examples.jsonl --model corpora/clips --prompt corpora/prompt.yaml --out new
review triplets --gold corpora/gold.csv --out corpora/clips
quickstart --out corpora/captions.csv
"""
"""Every command, with paths of the world where it takes some; those of `REFUSED` are refused as they stand."""
REFUSED = (
    "submit", "import-checkpoint", "published", "show", "show-wti", "train-generator", "review", "quickstart", "bench",
)  # fmt: skip
"""Commands of lines that need more than is here, or would go on for long, and of some that work."""


def make_world(folder: Path) -> None:
    """Write the world into a folder, which is the current one.

    Raises:
        SystemExit: a step failed.
    """
    write_inputs(folder / "corpora")
    (folder / "recipe.yaml").write_text(
        "name: tiny\nsummary: For tests.\nvariables: {train: 4}\nsteps:\n"
        "  - cvr import synthetic --out run/videos -o train=$train -o val=2 -o test=2 -o render=false\n"
    )
    for line in STEPS.strip().splitlines():
        if line.startswith("export-judgments"):
            judge(folder)
        if code := cli.run(line.format(**WORDS).split()):
            raise SystemExit(f"{line}: exit code {code}")
    shutil.rmtree(folder / "run")
    shutil.copytree(SAMPLES, folder / "samples")
    (folder / "loop").symlink_to("loop")


def write_inputs(corpora: Path) -> None:
    """Write what a user brings."""
    import torch

    (corpora / "clips").mkdir(parents=True)
    for name, shade in (("a", 60), ("b", 180)):
        write_mp4(corpora / "clips" / f"{name}.mp4", np.full((2, 16, 16, 3), shade, np.uint8))
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(corpora / f"{name}.png")
    lines = [
        {"input": "a red ball", "edit": f"make it {after}", "output": f"a {after} ball"} for after in ("blue", "old")
    ]
    files = {
        "clips/captions.csv": "file,caption\na.mp4,a dog runs\nb.mp4,a cat runs\n",
        "captions.csv": "video_id,caption\nv1,a dog runs\nv2,a cat runs\nv3,\n",
        "ids.csv": "video_id\ntrain-00000\ntrain-00001\n",
        "pairs.csv": "reference_id,target_id\ntrain-00000,train-00001\ntest-00002,test-00003\n",
        "gold.csv": "reference_id,modification,target_id,answer\na,b,c,accept\n",
        "urls.csv": "id,url\nv1,http://127.0.0.1:9/gone.csv\n",
        "licence.txt": "Do what you like.\n",
        "cirr.json": json.dumps({"version": "rc2", "metric": "recall", "1": ["a"] * 50}),
        "examples.jsonl": "".join(json.dumps(line) + "\n" for line in lines),
        "source.yaml": "title: Mine\nlicence: MIT\nannotations:\n  - {url: 'http://127.0.0.1:9/a.csv', file: a.csv}\n",
    }
    for name, text in files.items():
        (corpora / name).write_text(text)
    prompt = "summary: For tests.\nsource: Our own.\nsystem: ''\nlead: x\nmax_examples: 0\nexamples: []\n"
    (corpora / "prompt.yaml").write_text(f"{prompt}style: short\nchanges: any\nuser: $before to $after\n")
    (corpora / "describe.yaml").write_text(f"{prompt}task: describe\nstyle: dense\nuser: Say what is seen.\n")
    torch.save({"a.weight": torch.zeros(2, 2)}, corpora / "weights.pt")


def judge(folder: Path) -> None:
    """Judge items of a review, as its page does."""
    settings = Settings(annotators=("ann", "ben"), overlap=0.5)
    sources = serve.ReviewSources(reviewed=folder / "triplets", splits=("test",))
    with ReviewStore(folder / "review.sqlite") as store:
        session = serve.open_review_session(sources, serve.read_review_sources(sources, settings), store, settings)
        for number in range(4):
            item = session.state(settings.annotators[number % 2])["item"]
            said = {"item_id": item["item_id"], "decision": "accept", "request_id": str(number)}
            session.judge(settings.annotators[number % 2], {**said, "chosen": item["texts"][0]})
