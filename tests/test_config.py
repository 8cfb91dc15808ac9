"""Settings refuse what is wrong, by name, and only identity reaches the fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from ray_pipeline.config import Settings, describe, identity, identity_of, layered, parse, placement, section, settings_classes, source
from ray_pipeline.errors import SettingsError


class Flat(Settings):
    kind: Literal["flat"] = identity("flat", "which")
    seed: int = identity(1, "the seed")
    share: float = identity(0.5, "a share", gt=0)


class Deep(Settings):
    kind: Literal["deep"] = identity("deep", "which")
    folds: int = identity(2, "how many")
    flat: Flat = section(Flat(), "below")


Choice = Annotated[Flat | Deep, Field(discriminator="kind")]


class Shot(Settings):
    text: str = identity(..., "its text")
    shown: int = placement(1, "how it is shown")


class Whole(Settings):
    path: str = source(..., "where from")
    choice: Choice = section(Flat(seed=7), "one of two")
    other: Choice | None = section(Deep(), "perhaps one of two")
    count: int = identity(3, "a number")
    ratio: float = identity(1.0, "a ratio")
    loud: bool = placement(False, "noise")
    shots: tuple[Shot, ...] = identity((), "examples")
    names: dict[str, str] = identity({}, "a mapping")

    @model_validator(mode="after")
    def _not_thirteen(self) -> Whole:
        if self.count == 13:
            raise ValueError("count=13 clashes with everything; take 12")
        return self


class Top(Settings):
    whole: Whole = section(Whole(path="here", other=Deep(folds=9, flat=Flat(seed=4))), "the whole")


def read(**values: Any) -> Whole:
    return parse(Whole, {"path": "x", **values})


def refusal(**values: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"cuont": 1}, "cuont: no such setting; did you mean 'count'?"),
        ({"choice": {"sede": 1}}, "choice.sede: no such setting; did you mean 'seed'?"),
        ({"choice": {"kind": "deep", "flat": {"shar": 1}}}, "choice.flat.shar: no such setting; did you mean 'share'?"),
        ({"choice": {"folds": 3}}, "choice.folds: no such setting; known here: kind, seed, share"),
        ({"other": {"kind": "flat", "fold": 3}}, "other.fold: no such setting; known here: kind, seed, share"),
        ({"shots": [{"text": "a"}, {"text": "b", "show": 1}]}, "shots.1.show: no such setting; did you mean 'shown'?"),
        ({"choice": {"kind": "flatt"}}, "choice.kind: no such choice 'flatt'; did you mean 'flat'?"),
        ({"choice": {"kind": "zzz"}}, "choice.kind: no such choice 'zzz'; there are flat, deep"),
    ],
)
def test_an_unknown_key_names_the_nearest(values: dict[str, Any], said: str) -> None:
    assert refusal(**values) == said


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"count": "15"}, "count"),
        ({"count": 1.0}, "count"),
        ({"count": True}, "count"),
        ({"count": None}, "count"),
        ({"ratio": "1"}, "ratio"),
        ({"ratio": True}, "ratio"),
        ({"loud": 1}, "loud"),
        ({"loud": "yes"}, "loud"),
        ({"choice": 3}, "choice"),
        ({"choice": {"share": 0}}, "choice.share"),
        ({"names": {"a": 1}}, "names.a"),
        ({"shots": {"text": "a"}}, "shots"),
    ],
)
def test_a_wrong_type_is_not_bent_into_the_right_one(values: dict[str, Any], key: str) -> None:
    assert refusal(**values).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ratio": float("nan")}, "ratio: nan is not a finite number"),
        ({"choice": {"share": float("inf")}}, "choice.share: inf is not a finite number"),
        ({"names": {1: "one"}}, "names.1: a key must be text; put it in quotes"),
        ({"names": {"a": "\ud800"}}, "names.a: '\\ud800' holds half a surrogate pair"),
        ({"shots": [{"text": Path("a")}]}, "shots.0.text: PosixPath is not a plain value"),
    ],
)
def test_what_json_cannot_carry_is_refused_by_key(values: dict[str, Any], said: str) -> None:
    assert refusal(**values).startswith(said)


def test_a_whole_number_is_a_ratio() -> None:
    assert read(ratio=1).ratio == 1.0
    assert read(names={"a": "α 😀"}).names == {"a": "α 😀"}


def test_every_problem_is_listed_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(Whole, {"count": "1", "ratio": "x", "choice": {"seed": "s", "nope": 1}})
    said = str(caught.value).splitlines()
    assert sorted(line.split(":")[0] for line in said) == ["choice.nope", "choice.seed", "count", "path", "ratio"]
    assert "path: required, but not given" in said


def test_a_combination_is_refused_in_its_own_words() -> None:
    assert refusal(count=13) == "count=13 clashes with everything; take 12"
    with pytest.raises(SettingsError, match=r"^whole: count=13 clashes"):
        parse(Top, {"whole": {"path": "x", "count": 13}})


def test_a_choice_may_go_without_saying() -> None:
    assert read(choice={"share": 0.25}).choice == Flat(seed=7, share=0.25)
    assert read(choice={"kind": "deep", "folds": 4}).choice == Deep(folds=4)
    assert read(choice={"kind": "flat"}).choice == Flat(seed=7)
    assert read(other={"folds": 4}).other == Deep(folds=4)
    assert read(other=None).other is None


def test_what_a_section_sets_by_default_stays_where_only_its_neighbour_is_given() -> None:
    assert parse(Top, {}).whole.other == Deep(folds=9, flat=Flat(seed=4))
    changed = parse(Top, {"whole": {"other": {"flat": {"share": 0.1}}}}).whole
    assert changed.path == "here"
    assert changed.other == Deep(folds=9, flat=Flat(seed=4, share=0.1))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read().count = 4  # type: ignore[misc]


def test_identity_leaves_out_placement_and_source_at_every_depth() -> None:
    found = identity_of(read(loud=True, shots=[{"text": "a", "shown": 5}], choice={"kind": "deep"}))
    assert found == {
        "choice": {"kind": "deep", "folds": 2, "flat": {"kind": "flat", "seed": 1, "share": 0.5}},
        "other": {"kind": "deep", "folds": 2, "flat": {"kind": "flat", "seed": 1, "share": 0.5}},
        "count": 3,
        "ratio": 1.0,
        "shots": [{"text": "a"}],
        "names": {},
    }
    assert found == identity_of(parse(Whole, {"path": "elsewhere", "shots": [{"text": "a"}], "choice": {"kind": "deep"}}))
    assert "other" not in identity_of(read(other=None))


def test_identity_holds_no_value_json_would_make_up() -> None:
    class Loose(Settings):
        anything: Any = identity(None, "whatever")

    with pytest.raises(TypeError):
        identity_of(Loose(anything={1, 2}))  # a set's order changes from run to run


def test_settings_inside_a_section_of_many_count_too() -> None:
    class Many(Settings):
        all: tuple[Shot, ...] = section((), "many")

    assert identity_of(parse(Many, {"all": [{"text": "a"}]})) == {"all": [{"text": "a"}]}


def test_a_field_without_a_role_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="Silent: seed"):

        class Silent(Settings):
            seed: int = 3

    with pytest.raises(TypeError, match="Mute: seed"):

        class Mute(Settings):
            seed: int = identity(3, "")

    with pytest.raises(TypeError, match=r"Odd: seed: section\(\) is for settings"):

        class Odd(Settings):
            seed: int = section(3, "not settings at all")


def test_a_wrong_default_is_seen_at_once() -> None:
    class Wrong(Settings):
        seed: int = identity("three", "a number")

    with pytest.raises(ValidationError):
        Wrong()


def test_description_covers_sections_choices_and_what_applies() -> None:
    rows = {(one.key, one.type): one for one in describe(Top)}
    assert rows["whole.count", "int"].default == "3"
    assert rows["whole.path", "str"].default == '"here"'
    assert rows["whole.path", "str"].role == "source"
    assert rows["whole.loud", "bool"].role == "placement"
    assert rows["whole.other.folds", "int"].default == "9"
    assert rows["whole.other.flat.seed", "int"].default == "4"
    assert {"flat", "deep"} <= {kind for key, kind in rows if key == "whole.choice.kind"}
    assert rows["whole.shots", "tuple[Shot]"].help == "examples"
    assert {one.key: one.default for one in describe(Whole)}["path"] == "required"
    assert set(settings_classes(Top)) == {Top, Whole, Flat, Deep, Shot}


class Chain(Settings):
    seed: int = identity(3, "the seed")
    steps: dict[str, Choice] = section(..., "what is done, by name")


def test_a_mapping_of_choices_is_read_by_name_and_kept_in_order() -> None:
    found = parse(Chain, {"steps": {"second": {"kind": "deep", "flat": {"seed": 5}}, "first": {"kind": "flat"}}})
    assert list(found.steps) == ["second", "first"]
    assert found.steps == {"second": Deep(flat=Flat(seed=5)), "first": Flat()}
    assert identity_of(found)["steps"]["first"] == {"kind": "flat", "seed": 1, "share": 0.5}
    assert set(settings_classes(Chain)) == {Chain, Flat, Deep}
    keys = {(one.key, one.type) for one in describe(Chain)}
    assert {("steps.<name>.kind", "flat"), ("steps.<name>.kind", "deep"), ("steps.<name>.flat.seed", "int")} <= keys


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({"a": {"kind": "deep", "flat": {"sed": 1}}}, "steps.a.flat.sed: no such setting; did you mean 'seed'?"),
        ({"flat": {"kind": "deep", "flat": {"sed": 1}}}, "steps.flat.flat.sed: no such setting; did you mean 'seed'?"),
        ({"deep": {"kind": "flat", "folds": 1}}, "steps.deep.folds: no such setting; known here: kind, seed, share"),
        ({"a": {"kind": "falt"}}, "steps.a.kind: no such choice 'falt'; did you mean 'flat'?"),
        ({"deep": {"kind": "falt"}}, "steps.deep.kind: no such choice 'falt'; did you mean 'flat'?"),
        ({"deep": {"kind": "flat", "seed": "x"}}, 'steps.deep.seed: Input should be a valid integer (got "x")'),
        ({"a": 3}, "steps.a: "),
        ({"hard": {"kind": "flat"}, "hrad": {"seed": 1}}, "steps.hrad.kind: required, but not given; it says which of the choices is meant. "),
    ],
)
def test_a_mistake_in_a_named_section_is_told_with_its_name(steps: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(Chain, {"steps": steps})
    assert str(caught.value).startswith(said)


def test_a_misspelt_name_of_a_section_names_the_one_that_was_meant() -> None:
    with pytest.raises(SettingsError, match=r"Was 'hard' meant\?$"):
        parse(Chain, {"steps": {"hard": {"kind": "flat"}, "hrad": {"seed": 1}}})


def test_layers_meet_at_every_depth_but_a_section_of_another_kind_is_another_section() -> None:
    below = {"rows": 5, "split": {"kind": "folds", "folds": 4, "seed": 1}, "train": {"optimizer": {"lr": 1.0, "eps": 2.0}}}
    same = layered(below, {"split": {"fold": 2}, "train": {"optimizer": {"lr": 3.0}}})
    assert same == {"rows": 5, "split": {"kind": "folds", "folds": 4, "seed": 1, "fold": 2}, "train": {"optimizer": {"lr": 3.0, "eps": 2.0}}}
    assert layered(below, {"split": {"kind": "shuffled", "share": 0.1}})["split"] == {"kind": "shuffled", "share": 0.1}
    assert layered(below, {"train": None})["train"] is None
    assert below["split"] == {"kind": "folds", "folds": 4, "seed": 1}
