"""What each step of the quickstart costs on an ordinary processor, beside another checkout, in one run.

    python speed/cpu.py                                 # this checkout: every step, and the language model by type
    python speed/cpu.py --beside ../older               # the same with the code of a checkout that has its own .venv
    python speed/cpu.py -o train=60 -o llm_test=40      # a smaller world

The checkouts work in turn, in folders of their own, with a request cache that begins empty and models that are there
already. Where the processor multiplies bfloat16 fast, all is done once more with AVX2 alone, so that both kinds of
processor are seen.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import print_machine, processor

ROOT = Path(__file__).resolve().parents[1]
AVX2_ONLY = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "8589934592",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
"""What `make quickstart` sets for both."""
LLM = "generate-modifications transformers"
LLM_TYPES = ("float32", "bfloat16")
LLM_ROWS = 64
"""Texts per type of products, where there are so many pairs: two batches."""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """Code that is measured, the folder it works in, and its environment."""

    code: Path
    folder: Path
    environment: Mapping[str, str]

    def cvr(self, *words: str) -> float:
        """Run a command of this checkout in its folder and return its wall seconds."""
        started = time.perf_counter()
        done = subprocess.run(
            [str(self.code / ".venv" / "bin" / "cvr"), *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{self.code}: cvr {' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return time.perf_counter() - started

    def made(self, *names: str) -> dict[str, Any]:
        """Return a JSON file that the quickstart made."""
        return json.loads(self.folder.joinpath("quickstart", *names).read_text(encoding="utf-8"))


def seconds_of_steps(checkout: Checkout) -> dict[str, float]:
    """Return the seconds of each step of the finished quickstart, steps of one kind added up."""
    seconds: dict[str, float] = {}
    for timing in checkout.made("timings.json"):
        words = timing["command"].split()
        name = f"{words[1]} {words[words.index('--llm') + 1]}" if "--llm" in words else words[1]
        seconds[name] = seconds.get(name, 0.0) + timing["seconds"]
    return {**seconds, "whole": sum(seconds.values())}


def rates(checkout: Checkout, seconds: Mapping[str, float]) -> dict[str, float]:
    """Return clips, texts and triplets per second of the steps in which a network works."""
    clips = checkout.made("videos", "manifest.json")["rows"]
    texts = sum(checkout.made("modifications", name, "manifest.json")["rows"] for name in ("llm-test", "llm-train"))
    fdca = checkout.made("results", "fdca-quickstart", "result.json")["training"]
    return {
        "embed: decode + encode, clips/s": clips / seconds["embed"],
        "language model, texts/s": texts / seconds[LLM],
        "training fdca, triplets/s": fdca["triplets_per_s"],
    }


def by_type(checkout: Checkout) -> dict[str, float]:
    """Return texts per second of the language model by type of products, its start included."""
    found = {}
    for name in LLM_TYPES:
        words = ["quickstart/pairs", "--style", "short", "--llm", "transformers", "-o", f"dtype={name}"]
        words += ["--limit", str(LLM_ROWS), "--out", f"quickstart/texts-{name}", "--cache", f"{name}.sqlite"]
        seconds = checkout.cvr("generate-modifications", *words)
        found[f"language model in {name}, texts/s"] = checkout.made(f"texts-{name}", "manifest.json")["rows"] / seconds
    return found


def quality(checkout: Checkout) -> dict[str, str]:
    """Return what a speed-up must not cost: mean recall of the models with intervals, share of texts that are good."""
    shown = {}
    for name in ("visual-only", "text-only", "combiner", "fdca"):
        mean = checkout.made("results", f"{name}-quickstart", "result.json")["metrics"]["mean"]
        shown[f"{name}, mean"] = f"{mean['value']:.2f} [{mean['low']:.2f}, {mean['high']:.2f}]"
    for name in ("llm-test", "llm-train"):
        manifest = checkout.made("modifications", name, "manifest.json")
        shown[f"{name}, texts that pass lint"] = f"{100 * manifest['status']['ok'] / manifest['rows']:.1f} %"
    return shown


def measure(checkout: Checkout, options: Sequence[str]) -> Iterator[tuple[str, float | str]]:
    """Yield (name, figure) of everything that is measured in one checkout."""
    checkout.cvr("quickstart", "--out", "quickstart", *(word for option in options for word in ("-o", option)))
    seconds = seconds_of_steps(checkout)
    yield from ((f"{name}, s", value) for name, value in seconds.items())
    yield from rates(checkout, seconds).items()
    yield from by_type(checkout).items()
    yield from quality(checkout).items()


def print_table(columns: Mapping[str, Mapping[str, float | str]]) -> None:
    """Print one row per figure, one column per checkout, and the ratio of two."""
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    width = max(map(len, names))
    print(f"{'':{width}}", *(f"{title:>22}" for title in columns))
    for name in names:
        values = [figures.get(name, "") for figures in columns.values()]
        numbers = [value for value in values if isinstance(value, float) and value]
        ratio = f"{numbers[0] / numbers[1]:>8.2f}x" if len(numbers) == 2 else ""
        shown = (f"{value:>22.1f}" if isinstance(value, float) else f"{value:>22}" for value in values)
        print(f"{name:{width}}", *shown, ratio)


def warmed(checkout: Checkout) -> None:
    """Let the models be fetched and converted before anything is timed."""
    small = ["-o", "train=12", "-o", "val=6", "-o", "test=12", "-o", "llm_test=2", "-o", "llm_train=2"]
    checkout.cvr("quickstart", "--out", "warm", *small)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--beside", type=Path, help="a checkout of other code, with its own .venv")
    parser.add_argument("--keep", type=Path, help="folder to work in, kept; a temporary one else")
    parser.add_argument("-o", dest="options", action="append", default=[], help="a variable of the recipe")
    given = parser.parse_args()
    print_machine()
    kinds: dict[str, dict[str, str]] = {"as it is": {}}
    if {"avx512_bf16", "amx_bf16"} & set(processor()[1]):
        kinds["AVX2 alone"] = AVX2_ONLY
    codes = {"this": ROOT, **({"beside": given.beside.resolve()} if given.beside else {})}
    with tempfile.TemporaryDirectory() as temporary:
        for kind, environment in kinds.items():
            print(f"\n{kind}")
            columns = {}
            for title, code in codes.items():
                folder = (given.keep or Path(temporary)).resolve() / kind.replace(" ", "-") / title
                folder.mkdir(parents=True)
                settings = {**os.environ, **ALLOCATOR, **environment, "CVR_CACHE": str(folder / "cache")}
                checkout = Checkout(code=code, folder=folder, environment=settings)
                warmed(checkout)
                (folder / "cache" / "requests.sqlite").unlink()
                columns[title] = dict(measure(checkout, given.options))
            print_table(columns)


if __name__ == "__main__":
    main()
