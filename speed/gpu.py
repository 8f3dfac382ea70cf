"""What a card does with the code here, in at most eight minutes: `make gpu`.

    python speed/gpu.py                                     # all sections; speed/results/<card>.json
    python speed/gpu.py --sections precision,fdca
    python speed/gpu.py --device cpu --tiny --out tiny.json # each section, small, on the processor: do they run?

tests: those marked `gpu`. precision: every model that learns, in float32, bfloat16 and float16: does the loss fall, is
recall the same. fdca, covr-blip: samples a second at real size, share of the rate of a bare product, compiled or not.
embedding, ranking: rates. processes: two on one card have the gradients of one.

Each section runs in a process of its own, and is ended when its time is over; what fails is told, and the others go on.
Without a card nothing is measured. Weights are drawn, so nothing is fetched.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import ROOT, processor

SECTIONS = {"tests": 70, "precision": 130, "fdca": 60, "covr-blip": 80, "embedding": 50, "ranking": 60, "processes": 30}
"""Name -> seconds at most: eight minutes in all."""
RESULTS = Path(__file__).parent / "results"
SPARE_S = 15
"""Before its time is over, a section begins nothing further."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cpu")
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing, in this process")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="with commas between")
    parser.add_argument("--models", default="", help="of the section precision, with commas between; all that learn")
    parser.add_argument("--out", type=Path, help="the JSON file; by default speed/results/<card>.json")
    parser.add_argument("--one", choices=SECTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # the tests' helpers
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no GPU, so nothing was measured. That every section runs: "
              "python speed/gpu.py --device cpu --tiny --out tiny.json")  # fmt: skip
    elif given.worker:
        from gpu_training import worker

        worker(given.device, *given.worker)
    elif given.one:
        print(json.dumps(section(given.one, given)))
    else:
        sys.exit(measure(given))


def measure(given: argparse.Namespace) -> int:
    """Run the sections, write what they found, and return 1 if something is not as it should be."""
    card = device_name(given.device)
    out = given.out or RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', card.lower()).strip('-')}.json"
    found: dict[str, Any] = {"device": card, **versions()}
    for name in given.sections.split(","):
        started = time.monotonic()
        found[name] = section(name, given) if given.tiny else boxed(name, given, SECTIONS[name])
        found[name]["section_s"] = round(time.monotonic() - started, 1)
        print(f"{name}: {json.dumps(found[name])}", flush=True)
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")  # what is there if the rest never ends
    failed = [f"{name}: {what}" for name in given.sections.split(",") for what in found[name].get("failed", [])]
    print("\n".join([*failed, f"{len(failed)} findings; {out}"]))
    return 1 if failed else 0


def boxed(name: str, given: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run a section in a process of its own, and end it when its time is over."""
    words = [sys.executable, __file__, "--one", name, "--device", given.device, "--models", given.models]
    try:
        done = subprocess.run(words, cwd=ROOT, timeout=seconds, stdout=subprocess.PIPE, text=True)
    except subprocess.TimeoutExpired:
        return {"failed": [f"ended after its {seconds} s"]}
    if done.returncode:
        return {"failed": [f"ended with code {done.returncode}"]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def section(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Run a section in this process."""
    if name == "tests":
        return marked_tests()
    import gpu_scoring
    import gpu_training

    functions = {
        "precision": gpu_training.precision, "fdca": gpu_training.fdca, "covr-blip": gpu_training.covr_blip,
        "processes": gpu_training.processes, "embedding": gpu_scoring.embedding, "ranking": gpu_scoring.ranking,
    }  # fmt: skip
    models = tuple(filter(None, given.models.split(",")))
    deadline = float("inf") if given.tiny else time.monotonic() + SECTIONS[name] - SPARE_S
    return functions[name](gpu_training.Given(device=given.device, tiny=given.tiny, models=models, deadline=deadline))


def marked_tests() -> dict[str, Any]:
    """Run the tests marked `gpu`, of the files that have some."""
    files = [
        path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "pytest.mark.gpu" in path.read_text("utf-8")
    ]
    words = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *map(str, files)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    told = done.stdout.strip().splitlines() or ["nothing"]
    return {"files": len(files), "told": told[-1], "failed": [] if done.returncode == 0 else told[-10:]}


def device_name(device: str) -> str:
    """Return the name of the card, or of the processor."""
    import torch

    return torch.cuda.get_device_name() if device.startswith("cuda") else processor()[0]


def versions() -> dict[str, str | None]:
    """Return what the figures depend on beside the device."""
    import torch

    return {"torch": torch.__version__, "cuda": torch.version.cuda, "when": time.strftime("%Y-%m-%d")}


if __name__ == "__main__":
    main()
