"""Sections of `speed/gpu.py` that train: mixed precision, real sizes, two processes."""

# Shapes: N rows.

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState
from gpu_world import DrawnWorld, Size, held_out_task, save_blip, training_set
from measuring import ROOT, timed
from torch.utils.flop_counter import FlopCounterMode

from cvr_bench.models import MODELS
from cvr_bench.models.parts.retriever import is_trainable_retriever
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.intervals import Clusters, recall_difference_interval
from cvr_bench.scoring.metrics import mean_recall, recall_values
from cvr_bench.training.key import MadeBy
from cvr_bench.training.launch import training_process_places
from cvr_bench.training.train import TrainConfig, train
from tests.two_processes import CASES, ROWS, gradients, model

TINY = Size(things=8, looks=4, triplets=32, questions=20, dim=16, frames=2)
CLOSE = 1e-4
"""Largest difference of gradients, of the length of all of a model: float32 on a card sums in another order."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """How a section runs."""

    device: str
    tiny: bool
    models: tuple[str, ...] = ()
    """Those of the section `precision`; none is every one that learns."""
    deadline: float = float("inf")
    """Of `time.monotonic`, after which no further part is begun."""

    @property
    def is_card(self) -> bool:
        return self.device.startswith("cuda")

    def wait(self) -> None:
        """Return when the device has done what it was given."""
        if self.is_card:
            torch.cuda.synchronize()


def precision(given: Given) -> dict[str, Any]:
    """Train every model in float32 and in mixed precision, and rank the same held-out questions."""
    world = TINY if given.tiny else Size()
    found: dict[str, Any] = {}
    failed, not_reached = [], []
    for name in given.models or trainable_models():
        if time.monotonic() > given.deadline:
            not_reached.append(name)
            continue
        try:
            found[name] = of_model(name, world, given)
        except Exception as error:  # one model that breaks is a finding, and the others go on
            found[name] = {"error": f"{type(error).__name__}: {error}"[:300]}
        failed += [f"{name}: {what}" for what in _wrong(found[name], given)]
    return {"models": found, "not_reached": not_reached, "failed": failed}


def trainable_models() -> list[str]:
    """Return the names of all models that learn."""
    world = DrawnWorld(TINY)
    names = [name for name in MODELS.names() if name not in ("judge", "yes-no", "mteb", "embedder")]  # load a network
    return [name for name in names if is_trainable_retriever(MODELS.get(name).load(MODELS.get(name).TINY, world))]


def of_model(name: str, size: Size, given: Given) -> dict[str, Any]:
    """Losses, recall and rate of one model in each precision; differences of recall are paired, from float32."""
    component = MODELS.get(name)
    config = component.TINY if given.tiny or name == "clip-end-to-end" else component.Config()
    task, found, values = held_out_task(size), {}, {}
    clusters = Clusters.of([sorted(task.targets[query.query_id]) for query in task.queries],
                           [query.reference.item_id for query in task.queries if query.reference])  # fmt: skip
    for kind in ("no", "bf16", "fp16") if given.is_card else ("no", "bf16"):
        retriever = component.load(config, DrawnWorld(size))
        options = TrainConfig(epochs=2 if given.tiny else 3, batch_size=16 if given.tiny else 64, lr=1e-3,
                              patience=0, precision=kind)  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            made_by = MadeBy(model=name, options={}, source="", features={})
            report = train(
                retriever, training_set(size), task, options, DrawnWorld(size), Path(folder), made_by=made_by
            )
        ranks = evaluate(retriever, task).rank
        values[kind] = recall_values(ranks, task.ks)
        losses = [row["loss"] for row in report.history]
        interval = recall_difference_interval(values[kind], values["no"], clusters)
        found[kind] = {
            "ran_in": report.precision, "device": report.device, "first_loss": losses[0], "last_loss": losses[-1],
            "mean_recall": mean_recall(ranks, task.ks), "samples_per_s": report.triplets_per_s,
            "beyond_float32": [interval.value, interval.low, interval.high],
        }  # fmt: skip
    return found


def _wrong(found: dict[str, Any], given: Given) -> list[str]:
    """What of a model is not as it should be; of a tiny one, whether its losses are finite."""
    if "error" in found:
        return [found["error"]]
    wrong = []
    for kind, row in found.items():
        wanted = float("inf") if given.tiny else row["first_loss"]  # some steps of a tiny model need not learn
        if not row["last_loss"] < wanted:  # NaN is neither
            wrong.append(f"{kind}: the loss does not fall: {row['first_loss']:.3f} to {row['last_loss']:.3f}")
        value, low, high = row["beyond_float32"]
        if not given.tiny and not low <= 0 <= high:
            wrong.append(f"{kind}: mean recall {value:+.2f} [{low:.2f}, {high:.2f}] from float32")
    return wrong


def matrix_rate(given: Given) -> float:
    """Return the operations per second of a large product of bfloat16."""
    side = 64 if given.tiny else 8192
    factor_NN = torch.randn(side, side, device=given.device, dtype=torch.bfloat16)

    def products() -> None:
        for _ in range(10):
            factor_NN @ factor_NN
        given.wait()

    products()
    return 10 * 2 * side**3 / min(timed(products)[0] for _ in range(3))


def fdca(given: Given) -> dict[str, Any]:
    """FDCA as released, 214 M parameters, at its batch of 1,024."""
    size = dataclasses.replace(
        TINY if given.tiny else Size(), dim=16 if given.tiny else 640, frames=2 if given.tiny else 8
    )
    size = size if given.tiny else dataclasses.replace(size, triplets=1024)
    component = MODELS.get("fdca")
    options = {"depth": 1} if given.tiny else {}

    def load(encoder: DrawnWorld) -> Any:
        return component.load(component.Config(mode="faithful", **options), encoder)

    def compiled(module: Any, backend: str) -> None:
        module.compose = torch.compile(module.compose, backend=backend)

    return real_size(given, size, load, compiled)


def covr_blip(given: Given) -> dict[str, Any]:
    """CoVR-BLIP of the published size over 577 tokens of a frame; the image side is stored, as published."""
    size = dataclasses.replace(
        TINY if given.tiny else Size(triplets=256), dim=20 if given.tiny else 256,
        places=17 if given.tiny else 577, place_width=24 if given.tiny else 1024,
    )  # fmt: skip
    component = MODELS.get("covr-blip")
    with tempfile.TemporaryDirectory() as folder:
        model_folder = str(save_blip(Path(folder), given.tiny))

        def load(encoder: DrawnWorld) -> Any:
            return component.load(component.Config(model=model_folder, reference_tokens=Path(folder)), encoder)

        return real_size(given, size, load, lambda module, backend: module.text_encoder.compile(backend=backend))


def real_size(
    given: Given, size: Size, load: Callable[[DrawnWorld], Any], compiled: Callable[[Any, str], None]
) -> dict[str, Any]:
    """Samples a second of a training step in bfloat16, features on the card or from memory, compiled or not."""
    rate = matrix_rate(given)
    found: dict[str, Any] = {"matrix_tflops": rate / 1e12, "batch": len(training_set(size)), "steps": {}}
    for name, where, compile_it in (
        ("as it is", given.device, False),
        ("as it is, features in memory", "cpu", False),
        ("compiled", given.device, True),
    ):
        if time.monotonic() > given.deadline or (name.endswith("memory") and not given.is_card):
            continue
        retriever = load(DrawnWorld(size, where))
        retriever.module.to(given.device).train()
        if compile_it:
            compiled(retriever.module, "eager" if given.tiny else "inductor")
        found["parameters"] = sum(parameter.numel() for parameter in retriever.module.parameters())
        found["steps"][name] = step_figures(given, retriever, DrawnWorld(size, where), size, counted=not compile_it)
        del retriever
    first = next(iter(found["steps"].values()))
    for row in found["steps"].values():
        row["share_of_matrix_rate"] = first["flops"] / row["seconds"] / rate
    return {**found, "failed": [name for name, row in found["steps"].items() if not row["loss_is_finite"]]}


def step_figures(given: Given, retriever: Any, encoder: DrawnWorld, size: Size, *, counted: bool) -> dict[str, Any]:
    """Seconds of one step, the median of some after the first; that one, which compiles, stands alone."""
    data = training_set(size)
    rows = list(range(len(data)))
    parameters = [parameter for parameter in retriever.module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-5)
    losses: list[float] = []

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(torch.device(given.device).type, dtype=torch.bfloat16):
            loss = retriever.training_step(data.batch(rows, encoder))["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        given.wait()

    if given.is_card:
        torch.cuda.reset_peak_memory_stats()
    first_s, _ = timed(step)
    times = [timed(step)[0] for _ in range(2 if given.tiny else 10)]
    seconds = sorted(times)[len(times) // 2]
    found = {"seconds": seconds, "samples_per_s": len(rows) / seconds, "first_step_s": first_s,
             "loss_is_finite": all(abs(loss) < float("inf") for loss in losses)}  # fmt: skip
    if counted:
        with FlopCounterMode(display=False) as counter:
            step()
        found["flops"] = counter.get_total_flops()
    if given.is_card:
        found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def processes(given: Given) -> dict[str, Any]:
    """Gradients of two processes that share a batch and this device, over gloo, against those of one with all of it."""
    cases = CASES[:1] if given.tiny else CASES
    place, _ = training_process_places({}, devices=2, nodes=1)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.pt"
        program = [sys.executable, str(Path(__file__).with_name("gpu.py")), "--device", given.device]
        words = ["--worker", str(place.port), str(out), str(len(cases))]
        running = [subprocess.Popen([*program, *words, str(rank)], cwd=ROOT) for rank in range(2)]
        with ended(running):
            codes = [process.wait() for process in running]
        if codes != [0, 0]:
            return {"failed": [f"two processes ended with {codes}"]}
        spread = torch.load(out, weights_only=True)
    errors = {}
    AcceleratorState._reset_state()  # accelerate keeps the precision of an earlier section of this process
    for number, (name, options) in enumerate(cases):
        alone = gradients(placed(name, options, given.device), [list(range(ROWS))])[1]
        errors[f"{number} {name}"] = relative_error(spread[number], alone)
    return {"gradient_error": errors, "failed": [name for name, error in errors.items() if not error < CLOSE]}


@contextlib.contextmanager
def ended(running: list[subprocess.Popen]) -> Iterator[None]:
    """Leave no process behind."""
    try:
        yield
    finally:
        for process in running:
            process.kill()


def worker(device: str, port: str, out: str, count: str, rank: str) -> None:
    """One of the two processes: half of the rows of each case."""
    os.environ.update(RANK=rank, WORLD_SIZE="2", LOCAL_RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    torch.distributed.init_process_group("gloo")  # nccl refuses two processes on one card
    half = list(range(ROWS))[ROWS // 2 * int(rank) :][: ROWS // 2]
    found = [gradients(placed(*case, device), [half])[1] for case in CASES[: int(count)]]
    if rank == "0":
        torch.save([{name: None if g is None else g.cpu() for name, g in one.items()} for one in found], out)
    torch.distributed.destroy_process_group()


def placed(name: str, options: dict[str, Any], device: str) -> Any:
    """A tiny model on the device."""
    retriever = model(name, options)
    retriever.module.to(device)
    return retriever


def relative_error(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """Return the length of all differences over that of all gradients."""
    pairs = [(found[name].double(), value.cpu().double()) for name, value in expected.items() if value is not None]
    off = sum(float((one - other).square().sum()) for one, other in pairs)
    return (off / sum(float(other.square().sum()) for _, other in pairs)) ** 0.5
