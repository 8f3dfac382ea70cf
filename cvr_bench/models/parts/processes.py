"""One of several processes of torch.distributed: what they tell each other. Alone, each function gives what it got."""

from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


def model_is_spread() -> bool:
    """Return whether this is one of several processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def is_first_model_process() -> bool:
    """Return whether this process is the one that writes."""
    return not model_is_spread() or dist.get_rank() == 0


def model_process_number() -> int:
    """Return which of the processes this is, from 0."""
    return dist.get_rank() if model_is_spread() else 0


def model_process_count() -> int:
    """Return how many there are."""
    return dist.get_world_size() if model_is_spread() else 1


def gather_model_rows(rows: Tensor) -> Tensor:
    """Return the rows (as many in each) of all processes without gradients, padded with zeros to the longest."""
    if not model_is_spread():
        return rows
    longest = torch.tensor(rows.shape[1:], device=rows.device, dtype=torch.int64)
    dist.all_reduce(longest, op=dist.ReduceOp.MAX)
    own = pad_model_rows(rows, longest.tolist()).contiguous()
    carried = own.to(torch.uint8) if own.dtype == torch.bool else own
    parts = [torch.empty_like(carried) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, carried)
    return torch.cat(parts).to(own.dtype)


def gather_model_objects(value: Any) -> list[Any]:
    """Return the value of each process, in their order."""
    if not model_is_spread():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def gather_model_lists(values: list[Any]) -> list[Any]:
    """Return the values of all processes, one after another."""
    return list(chain.from_iterable(gather_model_objects(values)))


def first_model_process_value(value: Any) -> Any:
    """Return the first process' value."""
    return gather_model_objects(value)[0]


def wait_for_model_processes() -> None:
    """Return when all processes are here."""
    if model_is_spread():
        dist.barrier()


def pad_model_rows(rows: Tensor, sizes: "list[int] | torch.Size") -> Tensor:
    """Return the rows with zeros at the end of every further axis that is shorter than its size."""
    lacking = [wanted - found for wanted, found in zip(sizes, rows.shape[1:], strict=True)]
    if not any(lacking):
        return rows
    return F.pad(rows, [amount for end in reversed(lacking) for amount in (0, end)])


def broadcast_network_weights(module: nn.Module) -> None:
    """Give every process the weights of the first one."""
    if model_is_spread():
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, src=0)


def average_network_gradients(module: nn.Module) -> None:
    """Make each gradient the mean over the processes; a parameter that has none anywhere keeps none."""
    if not model_is_spread():
        return
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    known = torch.tensor([parameter.grad is not None for parameter in parameters], device=parameters[0].device)
    known = known.to(torch.int32)
    dist.all_reduce(known, op=dist.ReduceOp.MAX)
    learning = [parameter for parameter, has in zip(parameters, known.tolist(), strict=True) if has]
    for dtype in {parameter.dtype for parameter in learning}:
        _average([parameter for parameter in learning if parameter.dtype == dtype])


def _average(parameters: list[nn.Parameter]) -> None:
    """In one message: many small ones take longer than their bytes."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
