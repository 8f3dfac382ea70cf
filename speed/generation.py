"""Writing texts with a language model against the loop that a good user would write: the same pairs, one run.

    .venv-vllm/bin/python speed/generation.py                     # 500 pairs, some 20 minutes on two cores
    .venv-vllm/bin/python speed/generation.py --pairs 60 --repeats 1 --skip openai

`make test-engines` makes that environment; in one without vLLM the lines of vllm and openai are left out. Everything is
timed after imports and the engine's start, with SmolLM2-135M-Instruct, greedy, one try per pair, until the line ends:

loop 1, loop 16   `model.generate` of transformers over the prompts, so many at a time, as they come
bare              vLLM's `LLM.generate` on the same prompts
transformers, vllm, openai    `generate_modifications` with that backend and an empty cache, lint and table included;
                  openai asks a vLLM server of its own on this machine
warm              `generate_modifications` again with the cache that the run before has filled
"""

import argparse
import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import types
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.dataset_folders import write_artifact

SETTINGS = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
            "VLLM_LOGGING_LEVEL": "ERROR", "OMP_WAIT_POLICY": "PASSIVE"}  # fmt: skip
os.environ.update({name: value for name, value in SETTINGS.items() if name not in os.environ})
LENGTH = 1024
TOKENS = 20
"""The longest answer to the prompt `short`."""
THINGS = ("ball", "car", "cat", "dress", "boat", "umbrella", "kite", "horse", "door", "guitar", "bench", "flower")
COLOURS = ("black", "white", "green", "yellow", "blue", "pink", "grey", "brown")
PLACES = ("on a beach at sunset", "in a park", "near an old wooden bridge while people walk by", "under a tree",
          "in a busy street of a large city at night", "by the lake", "in front of a stone house in the rain",
          )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Line:
    """One way to write the texts."""

    name: str
    rows: int
    seconds: float
    tokens: int | None = None

    def as_text(self, loop: "Line") -> str:
        rate = self.rows / self.seconds
        tokens = f"{self.tokens / self.seconds:9.0f}" if self.tokens is not None else f"{'':>9}"
        times = rate / (loop.rows / loop.seconds)
        return f"{self.name:<24}{self.rows:>7}{self.seconds:10.2f}{rate:10.2f}{tokens}{times:10.1f}"


def write_pairs(folder: Path, count: int) -> Path:
    """Write so many pairs, no two of which ask the same."""
    from cvr_data.tables import PAIRS, pair_id

    generator, rows = random.Random(0), []
    for number in range(count):
        thing, place = generator.choice(THINGS), generator.choice(PLACES)
        before, after = generator.sample(COLOURS, 2)
        captions = [f"a {colour} {thing} {place}, take {number}" for colour in (before, after)]
        rows.append(
            {
                "pair_id": pair_id(f"r{number}", f"t{number}", *captions), "reference_id": f"r{number}",
                "target_id": f"t{number}", "reference_caption": captions[0], "target_caption": captions[1],
                "strategy": "one-word",
                "changes": [{"kind": "static", "slot": "attribute", "before": before, "after": after}],
            }
        )  # fmt: skip
    return write_artifact(folder / "pairs", "mine-pairs", rows, PAIRS)


def prompts_of(pairs: Path) -> list[str]:
    from cvr_data.modifications.asked import read_asked
    from cvr_data.modifications.asking.request import completion_text
    from cvr_data.modifications.generator import Config, Generator

    config = Config(prompt="short", backend="echo")
    generator = Generator(config)
    drafts = [draft for table in read_asked(pairs, config) for draft in generator.start(table)]
    return [completion_text(request) for request in generator.requests(drafts, 0)]


def loop(prompts: list[str], batch: int) -> Line:
    """`model.generate` over the prompts, so many at a time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from cvr_data.core.device import torch_device_of, torch_dtype_of
    from cvr_data.modifications.engines.smollm2 import smollm2_folder

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder(), padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(
        smollm2_folder(), dtype=torch_dtype_of("auto", torch_device_of("cpu"))
    ).eval()

    def write(some: list[str]) -> int:
        tokens = tokenizer(some, return_tensors="pt", padding=batch > 1)
        with torch.inference_mode():
            output = model.generate(**tokens, max_new_tokens=TOKENS, do_sample=False, stop_strings=["\n"],
                                    tokenizer=tokenizer, pad_token_id=tokenizer.pad_token_id)  # fmt: skip
        written = output[:, tokens["input_ids"].shape[1] :]
        return int((written != tokenizer.pad_token_id).sum())

    write(prompts[:batch])
    started = time.perf_counter()
    tokens = sum(write(prompts[start : start + batch]) for start in range(0, len(prompts), batch))
    return Line(name=f"loop {batch}", rows=len(prompts), seconds=time.perf_counter() - started, tokens=tokens)


class Started:
    """A backend whose engine runs, under a name by which the pipeline loads it."""

    def __init__(self, name: str, options: tuple[str, ...]):
        from cvr_data.modifications.backends import BACKENDS

        module = BACKENDS.get(name)
        self.name, self.name_here = name, f"started.{name}"
        self.backend = module.load(BACKENDS.config(name, options))
        made = types.ModuleType(self.name_here)
        made.Config = dataclass(frozen=True)(type("Config", (), {}))  # type: ignore[attr-defined]
        made.load = lambda config: self.backend  # type: ignore[attr-defined]
        sys.modules[self.name_here] = made

    def warm_up(self, pairs: Path, folder: Path) -> None:
        self.run(pairs, folder / f"{self.name}-warm-up", folder / f"{self.name}-warm-up.sqlite", limit=8)

    def run(self, pairs: Path, out: Path, cache: Path, limit: int | None = None) -> Line:
        from cvr_data.modifications.generate import generate_modifications
        from cvr_data.modifications.generator import Config

        config = Config(prompt="short", backend=self.name_here, attempts=1, limit=limit)
        started = time.perf_counter()
        artifact = generate_modifications(pairs, out, config, cache=cache)
        seconds = time.perf_counter() - started
        tokens = artifact.manifest["requests"]["tokens_out"]
        return Line(name=self.name, rows=artifact.manifest["rows"], seconds=seconds, tokens=tokens)


def median(lines: list[Line]) -> Line:
    return sorted(lines, key=lambda line: line.seconds)[len(lines) // 2]


def pipeline(name: str, options: tuple[str, ...], pairs: Path, folder: Path, repeats: int) -> list[Line]:
    """The pipeline with empty caches, then with a full one."""
    started = Started(name, options)
    started.warm_up(pairs, folder)
    cold = [started.run(pairs, folder / f"{name}-{n}", folder / f"{name}-{n}.sqlite") for n in range(repeats)]
    return [median(cold), warm(started, pairs, folder)]


def warm(started: Started, pairs: Path, folder: Path) -> Line:
    """The pipeline with the cache that its first run filled."""
    name = started.name
    known = median([started.run(pairs, folder / f"{name}-warm-{n}", folder / f"{name}-0.sqlite") for n in range(5)])
    return Line(name=f"{name}, warm", rows=known.rows, seconds=known.seconds)


def bare(engine: Any, prompts: list[str]) -> Line:
    from vllm import SamplingParams

    chosen = SamplingParams(max_tokens=TOKENS, temperature=0, stop=["\n"])
    started = time.perf_counter()
    outputs = engine.generate(prompts, chosen, use_tqdm=False)
    seconds = time.perf_counter() - started
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    return Line(name="bare vLLM", rows=len(prompts), seconds=seconds, tokens=tokens)


@contextmanager
def server(log: Path) -> Iterator[str]:
    """Run a vLLM server and yield its address."""
    from cvr_data.modifications.engines.smollm2 import smollm2_folder

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", smollm2_folder(), "--host",
               "127.0.0.1", "--port", port, "--served-model-name", "smol", "--dtype", "bfloat16", "--max-model-len",
               LENGTH, "--enforce-eager", "--no-enable-chunked-prefill"]  # fmt: skip
    with (
        log.open("wb") as written,
        subprocess.Popen(list(map(str, command)), stdout=written, stderr=written) as process,
    ):
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit(log.read_text()[-2000:]) from None
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def measure(arguments: argparse.Namespace, folder: Path) -> list[Line]:
    pairs = write_pairs(folder, arguments.pairs)
    prompts = prompts_of(pairs)
    has_vllm = importlib.util.find_spec("vllm") is not None
    lines: list[Line] = []

    def show(*some: Line) -> None:
        for line in some:
            lines.append(line)
            print(line.as_text(lines[0]), flush=True)

    print(f"{'':<24}{'rows':>7}{'seconds':>10}{'rows/s':>10}{'tokens/s':>9}{'x loop 1':>10}")
    show(loop(prompts, 1), loop(prompts, 16))
    chosen: dict[str, Callable[[], None]] = {
        "transformers": lambda: show(*pipeline("transformers", (), pairs, folder, arguments.repeats)),
        "vllm": lambda: show(*with_vllm(prompts, pairs, folder, arguments.repeats)),
        "openai": lambda: show(*with_server(pairs, folder, arguments.repeats)),
    }
    for name, run in chosen.items():
        if name in arguments.skip or (name != "transformers" and not has_vllm):
            print(f"{name:<24}left out" + ("" if has_vllm else ": vLLM is not installed here (make test-engines)"))
            continue
        run()
    return lines


def with_vllm(prompts: list[str], pairs: Path, folder: Path, repeats: int) -> list[Line]:
    """The pipeline and the bare engine in turns, each with nothing read before."""
    started = Started("vllm", (f"max_model_len={LENGTH}",))
    started.warm_up(pairs, folder)
    engine, ours, alone = started.backend._engine, [], []
    for n in range(repeats):
        engine.reset_prefix_cache()
        ours.append(started.run(pairs, folder / f"vllm-{n}", folder / f"vllm-{n}.sqlite"))
        engine.reset_prefix_cache()
        alone.append(bare(engine, prompts))
    return [median(ours), warm(started, pairs, folder), median(alone)]


def with_server(pairs: Path, folder: Path, repeats: int) -> list[Line]:
    with server(folder / "server.log") as address:
        options = ("model=smol", f"base_url={address}", "form=completion", "concurrency=64")
        return pipeline("openai", options, pairs, folder, repeats)


def verdicts(lines: list[Line]) -> None:
    """Print the measured targets."""
    of = {line.name: line for line in lines}
    if "vllm" in of:
        faster = of["loop 1"].seconds / of["vllm"].seconds
        over = of["vllm"].seconds / of["bare vLLM"].seconds - 1
        print(f"vllm against loop 1: {faster:.1f} times as fast (target 3)")
        print(f"pipeline over the bare engine: {over:+.1%} (target 5 %)")
    warm = {name: of[name].seconds / of[f"{name}, warm"].seconds for name in of if f"{name}, warm" in of}
    print(
        "a warm cache: "
        + ", ".join(f"{name} {times:.0f} times as fast" for name, times in warm.items())
        + " (target 50)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each pipeline, of which the median is shown")
    parser.add_argument("--skip", nargs="*", default=[], choices=["transformers", "vllm", "openai"])
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(arguments, Path(folder))
    verdicts(lines)
    if arguments.json:
        figures = {line.name: {"rows": line.rows, "seconds": line.seconds, "tokens": line.tokens} for line in lines}
        arguments.json.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
