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
import math
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
    def written_out(cls, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a short form in `values` stands for; a class that has one overrides this."""
        return values

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        missing = [name for name, info in cls.model_fields.items() if _role(info) is None or not info.description]
        if missing:
            raise TypeError(f"{cls.__name__}: {', '.join(missing)}: declare with identity(), placement(), source() or section(), and say what it is")
        misplaced = [name for name, info in cls.model_fields.items() if _role(info) == "section" and not _settings_in(info.annotation)]
        if misplaced:
            raise TypeError(
                f"{cls.__name__}: {', '.join(misplaced)}: section() is for settings classes; say whether the value is identity or placement"
            )


S = TypeVar("S", bound=Settings)


def parse(kind: type[S], values: Mapping[str, Any]) -> S:
    """`values` as settings of `kind`, or one `SettingsError` that names every wrong key and its remedy."""
    unreadable = list(_not_plain(values))
    if unreadable:
        raise SettingsError("\n".join(unreadable))
    values = kind.written_out(values)
    try:
        return kind.model_validate_json(json.dumps(_tagged(kind, values)), strict=True)
    except ValidationError as problem:
        lines = [_explain(kind, error, values) for error in problem.errors()]
        raise SettingsError("\n".join(dict.fromkeys(lines))) from None


def layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above`, at every depth; a section whose kind changes is replaced as a whole."""
    found = dict(below)
    for name, value in above.items():
        inner = found.get(name)
        nested = isinstance(inner, Mapping) and isinstance(value, Mapping) and value.get("kind", inner.get("kind")) == inner.get("kind")
        found[name] = layered(inner, value) if nested else value  # type: ignore[arg-type]
    return found


def _not_plain(value: Any, key: str = "") -> Iterator[str]:
    """What JSON could not carry unchanged, as one line each: it would be refused without its key, or changed on the way."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                yield f"{key + '.' if key else ''}{name}: a key must be text; put it in quotes"
            else:
                yield from _not_plain(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list | tuple):
        for at, inner in enumerate(value):
            yield from _not_plain(inner, f"{key}.{at}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{key}: {value} is not a finite number"
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            yield f"{key}: {value!a} holds half a surrogate pair, which is no character; give the text as UTF-8"
    elif value is not None and not isinstance(value, bool | int | float):
        yield f"{key}: {type(value).__name__} is not a plain value; give text, a number, true, false, null, a list or a mapping"


def _tagged(kind: type[Settings], values: Mapping[str, Any], default: Settings | None = None) -> dict[str, Any]:
    """`values` with what a section's own default says where they say nothing: the variant of a choice (`search.k=25` need
    not name the method), and each field the default sets."""
    filled = dict(values)
    for name, info in kind.model_fields.items():
        given = filled.get(name)
        if default is not None and name not in filled and name in default.model_fields_set:
            filled[name] = default.model_dump(mode="json", include={name})[name]
        if not isinstance(given, Mapping) or _role(info) != "section":
            continue
        if _names_settings(info):
            filled[name] = {key: _tagged_section(info, one, None) if isinstance(one, Mapping) else one for key, one in given.items()}
        else:
            filled[name] = _tagged_section(info, given, info.default if default is None else getattr(default, name))
    return filled


def _tagged_section(info: FieldInfo, given: Mapping[str, Any], usual: Any) -> dict[str, Any]:
    """`_tagged` for what was given for a section; `usual` is what applies where nothing is given."""
    variants = _settings_in(info.annotation)
    tag = info.discriminator or _discriminator(info.annotation)
    if isinstance(tag, str) and tag not in given and isinstance(usual, Settings):
        given = {tag: getattr(usual, tag), **given}
    chosen = [one for one in variants if not isinstance(tag, str) or given.get(tag) in get_args(one.model_fields[tag].annotation)]
    fallback = usual if len(chosen) == 1 and type(usual) is chosen[0] else None
    return _tagged(chosen[0], given, fallback) if len(chosen) == 1 else dict(given)


def _names_settings(info: FieldInfo) -> bool:
    """Whether a section is a mapping from names of the user's to settings, `dict[str, A | B]`."""
    return typing.get_origin(info.annotation) is dict


def _discriminator(annotation: Any) -> Any:
    """The discriminator of `Annotated[A | B, Field(discriminator=...)] | None`, which pydantic leaves inside the union."""
    here = [part.discriminator for part in getattr(annotation, "__metadata__", ()) if isinstance(part, FieldInfo) and part.discriminator]
    inside = [found for part in get_args(annotation) if (found := _discriminator(part))]
    return next(iter(here + inside), None)


def identity_of(settings: Settings) -> dict[str, Any]:
    """What of the settings changes the result, as plain JSON values. A section that is null leaves no trace."""
    found: dict[str, Any] = {}
    for name, info in type(settings).model_fields.items():
        value = settings.__dict__[name]
        role = _role(info)
        if role == "identity" or (role == "section" and value is not None):
            found[name] = _identity_value(value)
    return found


def _identity_value(value: Any) -> Any:
    """Settings by what identifies them, also inside lists and mappings; anything else as JSON has it."""
    if isinstance(value, Settings):
        return identity_of(value)
    if isinstance(value, Mapping):
        return {str(key): _identity_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_identity_value(inner) for inner in value]
    return json.loads(json.dumps(value, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is not a value that settings may hold")


@dataclass(frozen=True)
class Described:
    """One setting as `--help` shows it."""

    key: str
    type: str
    default: str
    role: Role
    help: str


def describe(kind: type[Settings], prefix: str = "", default: Settings | None = None) -> Iterator[Described]:
    """Every setting reachable from `kind`, depth first, by its full dotted key; `default` is what applies where nothing is given."""
    for name, info in kind.model_fields.items():
        role = _role(info)
        value = getattr(default, name) if isinstance(default, kind) else None if info.is_required() else info.get_default(call_default_factory=True)
        if role == "section":
            below = f"{prefix}{name}.<name>." if _names_settings(info) else f"{prefix}{name}."
            for variant in _settings_in(info.annotation):
                yield from describe(variant, below, value if isinstance(value, variant) else None)
            continue
        shown = "required" if info.is_required() and not isinstance(default, kind) else json.dumps(value, default=_plain)
        yield Described(prefix + name, _type_name(info.annotation), shown, role or "identity", info.description or "")


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


def _explain(kind: type[Settings], error: Any, values: Mapping[str, Any]) -> str:
    """One validation error in plain words: the dotted key, what is wrong, what would be right."""
    loc = [str(part) for part in error["loc"]]
    siblings, key = _siblings(kind, loc)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(loc[-1], siblings, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(siblings))}"
        return f"{key}: no such setting; {hint}"
    if error["type"] == "missing":
        return f"{key}: required, but not given"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _explain_choice(key, error["ctx"]) + _near_name(values, loc)
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}" if key else str(error["ctx"]["error"])
    return f"{key}: {error['msg']} (got {json.dumps(error['input'], default=str)[:80]})"


def _explain_choice(key: str, context: Mapping[str, str]) -> str:
    key = f"{key}.{context['discriminator'].strip(chr(39))}"
    if "tag" not in context:
        return f"{key}: required, but not given; it says which of the choices is meant"
    choices = [choice.strip("'") for choice in context["expected_tags"].split(", ")]
    near = difflib.get_close_matches(context["tag"], choices, n=1, cutoff=0.5)
    return f"{key}: no such choice {context['tag']!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(choices)}")


def _near_name(values: Mapping[str, Any], loc: list[str]) -> str:
    """Where a named section says not what it is, its name may be another's, misspelt."""
    beside: Any = values
    for part in loc[:-1]:
        beside = beside.get(part, {}) if isinstance(beside, Mapping) else {}
    others = [name for name in beside if name != loc[-1]] if isinstance(beside, Mapping) else []
    near = difflib.get_close_matches(loc[-1], others, n=1)
    return f". Was {near[0]!r} meant?" if near else ""


def _siblings(kind: type[Settings], loc: list[str]) -> tuple[set[str], str]:
    """The keys known beside the last element of `loc`, and the dotted key without the tags of unions."""
    level: list[type[Settings]] = [kind]
    key: list[str] = []
    named = False
    for part in loc[:-1]:
        if named:  # a name of the user's, which may be spelt like anything
            key.append(part)
            named = False
            continue
        named = _has(level, part) and any(_names_settings(cls.model_fields[part]) for cls in level)
        fields = [found for cls in level for found in _settings_in(cls.model_fields[part].annotation)] if _has(level, part) else []
        if fields:
            level = fields
            key.append(part)
        elif not (len(level) > 1 and part in _tags(level)):
            key.append(part)
        else:
            level = [cls for cls in level if part in _tags([cls])]
    last = loc[-1] if loc else ""
    if last and (named or not (len(level) > 1 and last in _tags(level))):
        key.append(last)
    return {name for cls in level for name in cls.model_fields}, ".".join(key)


def _has(level: list[type[Settings]], name: str) -> bool:
    return all(name in cls.model_fields for cls in level)


def _tags(level: list[type[Settings]]) -> set[str]:
    """The values that tell the variants of a union apart."""
    literals = [info.annotation for cls in level for info in cls.model_fields.values() if typing.get_origin(info.annotation) is Literal]
    return {str(tag) for annotation in literals for tag in get_args(annotation)}
