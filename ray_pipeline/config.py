"""Settings: frozen, typed, and honest about which of them change the result.

Every field says its role where it is declared:

* `identity`  changes the result (a prompt, a seed, a precision, a shard size); it enters the fingerprint;
* `placement` must not change it (workers, devices, logging); two runs that differ only there share one artifact;
* `source`    names something outside (a path, a model); the fingerprint of its *content* enters, never its spelling;
* `section`   holds further settings.

A class whose field has no role cannot be defined, so no setting slips into or out of a fingerprint unnoticed.
"""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from ray_pipeline.errors import SettingsError

Role = Literal["identity", "placement", "source", "section"]
REQUIRED: Any = ...


def _field(role: Role, default: Any, help: str, constraints: Mapping[str, Any]) -> Any:
    return Field(default, description=help, json_schema_extra={"role": role}, **constraints)


def identity(default: Any, help: str, **constraints: Any) -> Any:
    """A setting that changes the result."""
    return _field("identity", default, help, constraints)


def placement(default: Any, help: str, **constraints: Any) -> Any:
    """A setting that decides where or how fast, never what."""
    return _field("placement", default, help, constraints)


def source(default: Any, help: str, **constraints: Any) -> Any:
    """A name of something outside; its content is what counts."""
    return _field("source", default, help, constraints)


def section(default: Any, help: str, **constraints: Any) -> Any:
    """A group of settings."""
    return _field("section", default, help, constraints)


def _role(info: FieldInfo) -> Role | None:
    extra = info.json_schema_extra
    return typing.cast("Role | None", extra.get("role")) if isinstance(extra, dict) else None


class Settings(BaseModel):
    """The parent of every settings class: frozen, strict, no unknown keys, a role for every field."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        missing = [name for name, info in cls.model_fields.items() if _role(info) is None or not info.description]
        if missing:
            raise TypeError(f"{cls.__name__}: {', '.join(missing)}: declare with identity(), placement(), source() or section(), and say what it is")


S = TypeVar("S", bound=Settings)


def parse(kind: type[S], values: Mapping[str, Any]) -> S:
    """`values` as settings of `kind`, or one `SettingsError` that names every wrong key and its remedy."""
    try:
        return kind.model_validate_json(json.dumps(_tagged(kind, values)), strict=True)
    except ValidationError as problem:
        lines = [_explain(kind, error) for error in problem.errors()]
        raise SettingsError("\n".join(dict.fromkeys(lines))) from None


def _tagged(kind: type[Settings], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the default variant named wherever a choice is not made: `search.k=25` need not say the method."""
    filled = dict(values)
    for name, info in kind.model_fields.items():
        given = filled.get(name)
        if not isinstance(given, Mapping):
            continue
        variants = _settings_in(info.annotation)
        tag = info.discriminator or _inner_discriminator(info)
        if isinstance(tag, str) and tag not in given and isinstance(info.default, Settings):
            given = {tag: getattr(info.default, tag), **given}
        chosen = [one for one in variants if not isinstance(tag, str) or given.get(tag) in get_args(one.model_fields[tag].annotation)]
        filled[name] = _tagged(chosen[0], given) if len(chosen) == 1 else dict(given)
    return filled


def _inner_discriminator(info: FieldInfo) -> Any:
    """The discriminator of `Annotated[A | B, Field(discriminator=...)]` where pydantic leaves it in the metadata."""
    return next((part.discriminator for part in info.metadata if isinstance(part, FieldInfo)), None)


def identity_of(settings: Settings) -> dict[str, Any]:
    """What of the settings changes the result, as plain JSON values."""
    found: dict[str, Any] = {}
    for name, info in type(settings).model_fields.items():
        value = settings.__dict__[name]
        role = _role(info)
        if role == "section":
            if isinstance(value, Settings):
                found[name] = identity_of(value)
        elif role == "identity":
            found[name] = json.loads(json.dumps(value, default=_plain))
    return found


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


@dataclass(frozen=True)
class Described:
    """One setting as `--help` shows it."""

    key: str
    type: str
    default: str
    role: Role
    help: str


def describe(kind: type[Settings], prefix: str = "") -> Iterator[Described]:
    """Every setting reachable from `kind`, depth first, by its full dotted key."""
    for name, info in kind.model_fields.items():
        role = _role(info)
        nested = _settings_in(info.annotation)
        if role == "section" and nested:
            for variant in nested:
                yield from describe(variant, f"{prefix}{name}.")
            continue
        default = "required" if info.is_required() else json.dumps(info.get_default(call_default_factory=True), default=_plain)
        yield Described(prefix + name, _type_name(info.annotation), default, role or "identity", info.description or "")


def settings_classes(kind: type[Settings]) -> Iterator[type[Settings]]:
    """`kind` and every settings class below it."""
    yield kind
    for info in kind.model_fields.values():
        for variant in _settings_in(info.annotation):
            yield from settings_classes(variant)


def _settings_in(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [found for part in get_args(annotation) for found in _settings_in(part)]


def _type_name(annotation: Any) -> str:
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    if typing.get_origin(annotation) is Literal:
        return "|".join(str(choice) for choice in get_args(annotation))
    if typing.get_origin(annotation) is typing.Annotated:
        return _type_name(get_args(annotation)[0])
    parts = [_type_name(part) for part in get_args(annotation) if part is not Ellipsis]
    origin = typing.get_origin(annotation)
    if isinstance(origin, type) and origin.__name__ not in ("Union", "UnionType"):
        return f"{origin.__name__}[{', '.join(parts)}]"
    return " or ".join(parts) if parts else str(annotation)


def _explain(kind: type[Settings], error: Any) -> str:
    """One validation error in plain words: the dotted key, what is wrong, what would be right."""
    loc = [str(part) for part in error["loc"]]
    siblings, key = _siblings(kind, loc)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(loc[-1], siblings, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(siblings))}"
        return f"{key}: no such setting; {hint}"
    if error["type"] == "missing":
        return f"{key}: required, but not given"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}" if key else str(error["ctx"]["error"])
    return f"{key}: {error['msg']} (got {json.dumps(error['input'], default=str)[:80]})"


def _siblings(kind: type[Settings], loc: list[str]) -> tuple[set[str], str]:
    """The keys known beside the last element of `loc`, and the dotted key without the tags of unions."""
    level: list[type[Settings]] = [kind]
    key: list[str] = []
    for part in loc[:-1]:
        fields = [found for cls in level for found in _settings_in(cls.model_fields[part].annotation)] if _has(level, part) else []
        if fields:
            level = fields
            key.append(part)
        elif not (len(level) > 1 and part in _tags(level)):
            key.append(part)
        else:
            level = [cls for cls in level if part in _tags([cls])]
    last = loc[-1] if loc else ""
    if last and not (len(level) > 1 and last in _tags(level)):
        key.append(last)
    return {name for cls in level for name in cls.model_fields}, ".".join(key)


def _has(level: list[type[Settings]], name: str) -> bool:
    return all(name in cls.model_fields for cls in level)


def _tags(level: list[type[Settings]]) -> set[str]:
    """The values that tell the variants of a union apart."""
    literals = [info.annotation for cls in level for info in cls.model_fields.values() if typing.get_origin(info.annotation) is Literal]
    return {str(tag) for annotation in literals for tag in get_args(annotation)}
