"""A YAML file in, a `Config` out, or one error that lists every problem by dotted path. Also writes the reference."""

import difflib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from streamer.config import ArrayPayload, Config, InfluxPayload, JsonPayload, Mqtt, NumberPayload, SparkplugPayload
from streamer.config.base import Place
from streamer.config.stream import Stream
from streamer.errors import ConfigError

M = TypeVar("M", bound=BaseModel)
PAYLOADS: dict[str, type[BaseModel]] = {
    "number": NumberPayload,
    "array": ArrayPayload,
    "json": JsonPayload,
    "influx": InfluxPayload,
    "sparkplug": SparkplugPayload,
}


def load(path: Path) -> Config:
    """Load the configuration in `path`, with the overrides of the environment.

    Raises ConfigError naming the file and every problem in it.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing YAML file") from error
    except (YAMLError, ValueError, KeyError, RecursionError) as error:
        raise ConfigError(f"{path}: is not YAML: {flaw(error)}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must be a mapping with the keys mqtt and streams; see configs/minimal.yaml")
    return parse(document, str(path))


def flaw(error: Exception) -> str:
    """Where and why a text is not YAML. The lines are not quoted, as one may hold a password."""
    if isinstance(error, MarkedYAMLError) and error.problem and error.problem_mark:
        mark, problem = error.problem_mark, error.problem.partition(" with value")[0]
        return f"line {mark.line + 1}, column {mark.column + 1}: {' '.join(problem.split())}"
    return " ".join(str(error).split())


def parse(document: dict[str, Any], origin: str) -> Config:
    """Validate a document read from YAML; `origin` names it in errors.

    Raises ConfigError.
    """
    odd = [str(key) for key in document if not isinstance(key, str) or key.startswith("_")]
    if odd:  # pydantic-settings would read keys like _env_file as its own arguments
        raise ConfigError(f"{origin}: {', '.join(odd)}: unknown at the top; known: {', '.join(Config.model_fields)}")
    known = [f"STREAMER_{name.upper()}" for name in Config.model_fields]
    unknown = [name for name in os.environ if name.startswith("STREAMER_") and name.partition("__")[0] not in known]
    if unknown:
        names = ", ".join(sorted(unknown))
        raise ConfigError(f"the environment: {names}: overrides no key; variables start with {', '.join(known)}")
    return checked(Config, document, origin)


def broker(document: dict[str, Any]) -> Mqtt:
    """Validate the options of a broker given on the command line.

    Raises ConfigError.
    """
    return checked(Mqtt, document, "the broker")


def checked(model: type[M], document: dict[str, Any], origin: str) -> M:
    """Build the model from the document.

    Raises ConfigError listing every problem.
    """
    try:
        return model(**document)
    except SettingsError as error:
        raise ConfigError(f"the environment: {error}; give JSON, or one key as STREAMER_MQTT__URL") from error
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        problems = "\n".join(f"  {line}" for line in sorted(described(model, details)))
        count = problems.count("\n") + 1
        raise ConfigError(f"{origin}: {count} problem{'s' * (count > 1)}\n{problems}") from error


def described(model: type[BaseModel], details: Iterable[ErrorDetails]) -> set[str]:
    """A line for each problem; what a value of several forms is not, form by form, is one."""
    forms: dict[str, list[str]] = {}
    lines = set[str]()
    for detail in details:
        loc = of_several_forms(model, detail["loc"])
        if loc is None:
            lines.add(describe(detail))
        else:
            where, _, what = describe(ErrorDetails(**{**detail, "loc": loc})).partition(": ")
            forms.setdefault(where, []).append(what)
    return lines | {f"{where}: {', or '.join(dict.fromkeys(some))}" for where, some in forms.items()}


def of_several_forms(model: type[BaseModel], loc: Place) -> Place | None:
    """The place of a value that may have several forms, without what pydantic calls the form; None for others."""
    field: FieldInfo | None = None
    for i, part in enumerate(loc):
        if is_format(loc, i):
            model, field = PAYLOADS[str(part)], None
        elif isinstance(part, str) and field is not None and section(field) is None:
            return loc[:i] if get_origin(field.annotation) in (Union, UnionType) else None
        elif isinstance(part, str):
            field = model.model_fields.get(part)
            if field is None:
                return None
            model = section(field) or model
    return None


def describe(detail: ErrorDetails) -> str:
    """One problem on one line: dotted path, fault, remedy."""
    loc = detail["loc"]
    path = [part for i, part in enumerate(loc) if not is_format(loc, i)]
    where = ".".join(part if part.isprintable() else repr(part) for part in map(str, path)) or "the file"
    match detail["type"]:
        case "extra_forbidden":
            known = list(keys_at(loc[:-1]))
            near = difflib.get_close_matches(str(path[-1]), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            return f"{where}: unknown key; {hint}"
        case "missing":
            return f"{where}: required; add it"
        case "union_tag_not_found":
            return f"{where}: add format: {', '.join(PAYLOADS)}"
        case "value_error":
            return f"{where}: {detail['ctx']['error']!s}"
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return f"{where}: {message}"


def is_format(path: Sequence[str | int], at: int) -> bool:
    """Whether this part of a path stands for the format of a payload, and for no key of the file."""
    return at > 0 and path[at - 1] == "payload" and path[at] in PAYLOADS


def keys_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys that the mapping at this path of the file may have."""
    model: type[BaseModel] = Config
    for i, part in enumerate(path):
        if is_format(path, i):
            model = PAYLOADS[str(part)]
        elif isinstance(part, str) and part in model.model_fields:
            model = section(model.model_fields[part]) or model
    return list(model.model_fields)


def section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field or the items of its list are; None for a plain value."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def reference() -> str:
    """The text of configs/reference.yaml: every key with its description and default."""
    head = (
        "# Every key of the configuration, with its unit and default.",
        "# Written by `streamer schema --reference`; a test keeps it equal to the code. Keys marked `required`",
        "# have no default: their values here are examples.",
        "",
    )
    examples: dict[str, Any] = {"url": "mqtt://localhost:1883", "name": "plant", "topics": ["plant/+/temperature"]}
    return "\n".join([*head, *lines(Config, examples, "")]) + "\n"


EXAMPLES: dict[str, dict[str, Any]] = {
    "thresholds": {"name": "full"},
    "covariates": {"name": "outdoor", "topics": ["weather/{site}"]},
}
"""Values of required keys in sections that are empty by default."""


def lines(model: type[BaseModel], examples: dict[str, Any], pad: str) -> list[str]:
    """The lines of one section of the reference, each key below its description."""
    out: list[str] = []
    for name, field in model.model_fields.items():
        note = " required." if field.is_required() else ""
        out.append(f"{pad}#{note} {field.description}")
        inner = section(field)
        if name == "payload":
            inner = NumberPayload if model is Stream else None
        if inner is None:
            value = examples[name] if field.is_required() else field.get_default(call_default_factory=True)
            value = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
            out.append(f"{pad}{name}: {json.dumps(value, default=str)}")
        elif name == "streams":
            body = lines(inner, examples, pad + "    ")
            out += [f"{pad}{name}:", f"{pad}  -", *body]
        elif not field.get_default(call_default_factory=True):
            out += off(name, field, inner, pad)
        else:
            out += [f"{pad}{name}:", *lines(inner, examples, pad + "  ")]
    if model is NumberPayload:
        for other in list(PAYLOADS.values())[1:]:
            shown = [f"# {line}" for line in lines(other, {"format": PAYLOAD_NAMES[other], "d": 3}, "")]
            out += [f"{pad}{line}" for line in ("#", f"# or: {(other.__doc__ or '').strip()}", *shown)]
    return out


def off(name: str, field: FieldInfo, inner: type[BaseModel], pad: str) -> list[str]:
    """The lines of a section, or list of sections, that is empty by default: its keys are comments."""
    default, shown = field.get_default(call_default_factory=True), lines(inner, EXAMPLES.get(name, {}), "")
    if default is not None:
        shown = ["-", *(f"  {line}" for line in shown)]
    return [f"{pad}{name}: {json.dumps(default)}", *(f"{pad}  # {line}" for line in shown)]


PAYLOAD_NAMES: dict[type[BaseModel], str] = {kind: name for name, kind in PAYLOADS.items()}
