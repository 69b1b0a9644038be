"""Foreign placeholders: what is declared is filled in, all else is the author's text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.dialects.placeholders import MAX_VALUE, Left, Placeholders, names

KNOWN = Placeholders(
    {
        "project-root": ".",
        "output_folder": "{project-root}/out",
        "planning_artifacts": "{output_folder}/plan",
        "agent.role": "Keeper",
        "user_name": "Ada",
    },
    {"topic": "bread"},
)


def filled(text: str) -> str:
    return KNOWN.resolve(text).text


def test_declared_names_are_filled_in_through_their_values() -> None:
    assert filled("see {planning_artifacts}/prd.md") == "see ./out/plan/prd.md"
    assert filled("a {agent.role}, {agent.role}") == "a Keeper, Keeper"


def test_a_setting_is_named_after_its_source() -> None:
    assert filled('"{config_source}:user_name"') == '"Ada"'
    assert filled("{config_source}:nobody") == "{config_source}:nobody"
    assert KNOWN.resolve("{config_source}:nobody").left == (Left("nobody", 1),)


def test_variables_in_two_braces_are_apart() -> None:
    assert filled("{{topic}} and {{ topic }}") == "bread and bread"
    assert filled("{{user_name}} {{story_key}}") == "{{user_name}} {{story_key}}"


def test_what_is_not_declared_stays_and_is_told_with_its_line() -> None:
    found = KNOWN.resolve("one\n{story_path} {user_name}\n{date}")
    assert found.text == "one\n{story_path} Ada\n{date}"
    assert found.left == (Left("story_path", 2), Left("date", 3))


def test_the_date_is_never_filled_in() -> None:
    assert Placeholders({"date": "2020-01-01"}).resolve("{date}").text == "{date}"


def test_other_braces_are_text() -> None:
    for text in (
        "${user_name}",
        "{ user_name }",
        "{user_name",
        "{{user_name}",
        '{"user_name": 1}',
        "\\{user_name}",
        "{%user_name%}",
        "{}",
        "{0}",
        "{user name}",
    ):
        assert filled(text) == text


def test_circles_end() -> None:
    circle = Placeholders({"a": "x{b}", "b": "y{a}"})
    assert circle.resolve("{a} {b}").text == "xy{a} y{a}"
    wide = Placeholders({"a": "{b}" * 50, "b": "{a}" * 50})
    assert wide.resolve("{a}").text == "{a}" * 2500


def test_values_that_grow_stay_bounded() -> None:
    many = {f"n{i}": f"{{n{i + 1}}}" * 50 for i in range(7)} | {"n7": "wide" * 50}
    assert len(Placeholders(many).resolve("{n0}").text) <= MAX_VALUE


def test_names_are_those_in_single_braces() -> None:
    assert names("{a} {{b}} ${c} {d.e}") == {"a", "d.e"}


@given(st.text(alphabet=st.sampled_from("{}$abc._-: \n\\"), max_size=80))
def test_a_text_without_declared_names_is_never_changed(text: str) -> None:
    assert Placeholders({"known": "value"}).resolve(text).text == text


@given(
    st.dictionaries(st.sampled_from("abcd"), st.text(alphabet="{abcd}xy", max_size=20)), st.text()
)
def test_resolving_never_fails(values: dict[str, str], text: str) -> None:
    found = Placeholders(values).resolve(text + "{a}{b}{c}{d}")
    assert all(left.line >= 1 for left in found.left)
