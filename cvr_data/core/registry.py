"""The folder is the registry: a component's file name is its name, and its Config checks its options.

    STRATEGIES = Family("cvr_data.pairs.strategies")
    STRATEGIES.names()                                 # ["one-word", ...] without importing any
    STRATEGIES.config("one-word", ["max_group=20"])    # a checked Config

A dotted name is any importable module that the user named (trust.py), so a private component needs no plugin system and
no file chooses code. What a module of a family must have is a `Protocol` in the family's `__init__.py`, and `get`
refuses one that lacks it. What it may have stands there too, a runtime-checkable `Protocol` per ability, and is asked
for by `isinstance(module, Ability)`.
"""

import ast
import dataclasses
import importlib
import importlib.util
import pkgutil
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from cvr_data.core.config_source import REQUIRED, default_text, defaults_of, field_docs
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.places import check_address, is_path_or_address, is_remote, path_or_address
from cvr_data.core.ranges import check_ranges
from cvr_data.core.reading import check_plain
from cvr_data.core.trust import OUTSIDE, import_named, is_stored, require_named

UNSEEN, UNSEEN_MARK = "\nUnseen: ", " [unseen]"
"""How a docstring says that a reader never met the published files, and how a list shows it."""
Options = Mapping[str, Any] | Sequence[str]


class Member(Protocol):
    """What every component has."""

    __name__: str
    Config: type[Any]
    """Frozen and keyword-only, with a docstring under each field."""


M = TypeVar("M", bound=Member)


class Family(Generic[M]):
    """The components of one folder, by name; `contract` is the Protocol of those modules.

    Files that options name may be addresses where a family says that its members read them `anywhere`.
    """

    def __init__(self, package: str, contract: type = Member, *, anywhere: bool = False):
        self.anywhere = anywhere
        self.package = package
        self.contract = contract
        self.kind = package.rsplit(".", 1)[-1]

    def names(self) -> list[str]:
        """Return the names of all components, sorted, importing none of them."""
        found = pkgutil.iter_modules([str(self._folder())])
        return sorted(info.name.replace("_", "-") for info in found if not info.name.startswith("_") and not info.ispkg)

    def get(self, name: str) -> M:
        """Return the component's module.

        Raises:
            CvrError: no component or importable module has that name, a dotted one comes from a file alone, it is no
                Python, it lacks what the contract asks for, or a library it needs is not installed.
        """
        is_dotted = isinstance(name, str) and "." in name and all(part.isidentifier() for part in name.split("."))
        if not is_dotted and str(name).replace("_", "-") not in self.names():
            raise CvrError(f"Unknown name {name!r} in {self.kind}. {did_you_mean(str(name), self.names())}")
        module_name = name if is_dotted else f"{self.package}.{name.replace('-', '_')}"
        try:
            module = import_named(name, self.kind) if is_dotted else importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise CvrError(f"Cannot import {module_name}: no module named {error.name!r}.") from None
        except SyntaxError as error:
            raise CvrError(f"Cannot import {module_name}: {error}.") from None
        if missing := sorted(required(self.contract) - vars(module).keys()):
            raise CvrError(f"{module_name} is none of the {self.kind}: it has no {', '.join(missing)}.")
        return cast(M, module)

    def config(self, name: str, options: Options = ()) -> Any:
        """Return the component's Config made from `key=value` options.

        Raises:
            CvrError: unknown key, a value of the wrong type, or a value that the Config refuses.
        """
        shown = f" `cvr show {name}` tells what each does."
        return parse_config(self.get(name).Config, options, where=name, anywhere=self.anywhere, further=shown)

    def summary(self, name: str) -> str:
        """Return the first line of the component's docstring, without importing it, or why it has none.

        A reader whose docstring has a paragraph `Unseen: ...` is marked: it was written without the published files.
        """
        source = self._source(name)
        first_line = source.split("\n", 1)[0].strip()
        mark = UNSEEN_MARK if UNSEEN in source.partition("\nfrom ")[0] else ""
        if first_line.startswith('"""') and first_line.strip('"'):
            return first_line.strip('"').strip() + mark  # as in every file of ours; to parse all 119 takes far longer
        try:
            return (ast.get_docstring(ast.parse(source)) or "").split("\n", 1)[0] + mark
        except SyntaxError as error:  # one that is being written does not hide the others
            return f"(cannot be read: {error})"

    def describe(self, name: str) -> str:
        """Return the component's docstring and its options with defaults and meanings."""
        source = self._source(name)
        try:
            document = ast.get_docstring(ast.parse(source)) or ""
        except SyntaxError as error:
            raise CvrError(f"The component {name!r} cannot be read: {error}.") from None
        return "\n".join((document.strip(), "", options_text(source, lambda: self.get(name).Config)))

    def _folder(self) -> Path:
        spec = importlib.util.find_spec(self.package)
        if spec is None or spec.origin is None:
            raise CvrError(f"The package {self.package} is not installed.")
        return Path(spec.origin).parent

    def _source(self, name: str) -> str:
        if "." not in name:
            return (self._folder() / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
        return Path(str(sys.modules[self.get(name).__name__].__file__)).read_text(encoding="utf-8")


def options_text(source: str, load: Callable[[], type]) -> str:
    """Return the options of the `Config` in a file, with defaults and meanings; it is loaded only if it has to be."""
    lines, meanings = ["Options (-o key=value):"], field_docs(source)
    for field, default in (defaults_of(source) or _default_texts(load())).items():
        lines.append(f"  {field} = {default}")
        lines.extend(f"      {line.strip()}" for line in meanings.get(field, "").splitlines() if line.strip())
    return "\n".join(lines)


def _default_texts(config: type) -> dict[str, str]:
    return {field.name: default_text(field) for field in dataclasses.fields(config)}


def required(contract: type) -> set[str]:
    """Return the names that a contract asks a module for."""
    said = (name for base in contract.__mro__ for name in (*vars(base), *vars(base).get("__annotations__", ())))
    return {name for name in said if not name.startswith("_")}


def parse_config(config_class: type, options: Options, *, where: str, anywhere: bool = False, further: str = "") -> Any:
    """Return `config_class` built from options, each text parsed by its field's annotation.

    Options are `key=value` texts, as on the command line, or a mapping, such as `config_dict` gave and JSON kept.
    `further` is said after the names of the options where one is unknown.
    """
    pairs = options if isinstance(options, Mapping) else split_key_value_options(options, where)
    hints = typing.get_type_hints(config_class)
    names = [field.name for field in dataclasses.fields(config_class)]
    values = {}
    for key, text in pairs.items():
        name = key.replace("-", "_")
        if name not in names:
            raise CvrError(f"{where}: unknown option {key!r}. {did_you_mean(name, names)}{further}")
        values[name] = _option_value(text, hints[name], f"{where}: option {name}")
        if isinstance(text, str) and is_path_or_address(values[name]) and is_remote(values[name]) and not anywhere:
            raise CvrError(f"{where}: option {name} is read on disks only, got {text}.")
    for field in dataclasses.fields(config_class):
        if is_stored() and OUTSIDE in field.metadata and values.get(field.name, field.default) != field.default:
            require_named(str(values[field.name]), f"{where}: option {field.name}")
        if field.name not in values and default_text(field) == REQUIRED:
            raise CvrError(f"{where}: option {field.name} is required: -o {field.name}=VALUE.")
    try:
        check_ranges(config_class, values)
        return config_class(**values)
    except (ValueError, TypeError) as error:
        raise CvrError(f"{where}: {error}") from None


def split_key_value_options(options: Sequence[str], where: str) -> dict[str, str]:
    """Return `key=value` texts as a mapping; the last of two with the same key wins."""
    return dict(_split_option(text, where) for text in options)


def config_dict(config: Any) -> dict[str, Any]:
    """Return the fields that can change the output, as JSON values; `metadata={"output": False}` leaves one out."""
    kept = [field for field in dataclasses.fields(config) if field.metadata.get("output", True)]
    return {field.name: _json_value(getattr(config, field.name)) for field in kept}


def paths_in(config: Any) -> dict[str, Path]:
    """Return the files and folders that fields which can change the output name: what is in them is to be in a key."""
    kept = [field.name for field in dataclasses.fields(config) if field.metadata.get("output", True)]
    found: dict[str, Path] = {}
    for name in kept:
        value = getattr(config, name)
        values = value if isinstance(value, tuple) else (value,)
        paths = [each for each in values if isinstance(each, Path)]
        found |= {name if number == 1 else f"{name}-{number}": path for number, path in enumerate(paths, start=1)}
    return found


def _split_option(text: str, where: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise CvrError(f"{where}: option {text!r} should look like key=value.")
    return key.strip(), value


def _option_value(value: Any, hint: Any, where: str) -> Any:
    """A text parsed; a list, as JSON has it, made a tuple of parsed texts; anything else as it is."""
    if isinstance(value, list):
        kinds = [kind for kind in typing.get_args(hint) if typing.get_origin(kind) is tuple] or [hint]
        return tuple(_option_value(part, (*typing.get_args(kinds[0]), str)[0], where) for part in value)
    return _parse_option(value, hint, where) if isinstance(value, str) else value


def _parse_option(text: str, hint: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if text.lower() in ("none", "null") and type(None) in arguments:
            return None
        return _parse_option(text, next(kind for kind in arguments if kind is not type(None)), where)
    if origin is typing.Literal:
        return _parse_choice(text, arguments, where)
    if origin is tuple:
        kinds = [kind for kind in arguments if kind is not Ellipsis]
        return tuple(_parse_option(part.strip(), kinds[0], where) for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() in ("true", "1", "yes", "on", "false", "0", "no", "off"):
            return text.lower() in ("true", "1", "yes", "on")
        raise CvrError(f"{where} should be true or false, got {text!r}.")
    return _parse_scalar(text, hint, where)


def _parse_choice(text: str, choices: tuple[Any, ...], where: str) -> Any:
    for choice in choices:
        if text == str(choice):
            return choice
    raise CvrError(f"{where}: {text!r} is not allowed. {did_you_mean(text, map(str, choices))}")


def _parse_scalar(text: str, kind: type, where: str) -> Any:
    if kind is Path and "\0" not in text:
        check_address(text)
        return check_plain(path_or_address(text))
    try:
        return kind(text)
    except ValueError:
        raise CvrError(f"{where} should be of type {kind.__name__}, got {text!r}.") from None


def _json_value(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    if is_path_or_address(value):
        return str(value)
    if isinstance(value, tuple | list | set | frozenset):
        items = [_json_value(item) for item in value]
        return sorted(items) if isinstance(value, set | frozenset) else items
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    return value
