"""Components that a user chooses in a row, each with its options, as filters: `--filter NAME:key=value -f +NAME`.

`NAME` stands in place of the default ones; `+NAME` is added to them, or gives one of them other options; `-NAME` is
taken out; `none` is none at all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, runtime_checkable

from cvr_data.core.errors import CvrError
from cvr_data.core.registry import Family, M, config_dict


@runtime_checkable
class HasVersion(Protocol):
    """A component whose rows have changed since it was written, so that rows of another version are other ones."""

    VERSION: int
    """2 and up."""


@dataclass(frozen=True)
class Chosen(Generic[M]):
    """A component with its options."""

    name: str
    module: M
    config: Any

    def identity(self) -> dict[str, Any]:
        """Return what of it can change the rows."""
        named: dict[str, Any] = {"name": self.name}
        if isinstance(self.module, HasVersion):
            named["version"] = self.module.VERSION
        return named | config_dict(self.config)


def parse_component_choice(family: Family[M], text: str) -> Chosen[M]:
    """Return the component of `NAME` or `NAME:key=value,key=value`; a value may be a list: `allowed=NOUN,VERB`."""
    name, _, options = text.partition(":")
    found = [option for option in re.split(r",(?=[\w-]+=|$)", options) if option]
    return Chosen(name, family.get(name), family.config(name, found))


def choose_registered_components(
    family: Family[M], texts: Sequence[str], default: Sequence[str], guard: str | None = None
) -> list[Chosen[M]]:
    """Return the components that `--filter` names, in order; a guard comes first unless it is taken out by name.

    Raises:
        CvrError: an unknown name or option, or `none` or `-NAME` where there is nothing to take out.
    """
    if "none" in texts:
        if len(texts) > 1:
            raise CvrError("--filter none stands alone; -NAME takes one of the default filters out.")
        return []
    named = [text for text in texts if text[:1] not in ("+", "-")]
    chosen = [parse_component_choice(family, name) for name in named or default]
    if guard is not None and guard not in [each.name for each in chosen]:
        chosen.insert(0, parse_component_choice(family, guard))
    for text in texts:
        if text.startswith("+"):
            added = parse_component_choice(family, text[1:])
            place = next((n for n, each in enumerate(chosen) if each.name == added.name), len(chosen))
            chosen[place : place + 1] = [added]
        elif text.startswith("-"):
            kept = [each for each in chosen if each.name != text[1:]]
            if len(kept) == len(chosen):
                names = ", ".join(each.name for each in chosen)
                raise CvrError(f"--filter {text}: there is no such filter to take out of {names}.")
            chosen = kept
    return chosen
