"""Different ids have different names, and no name means something else to Python."""

from __future__ import annotations

import builtins
import keyword

from hypothesis import given
from hypothesis import strategies as st

from scripts.compiler.names import class_name, group_name, module_name, variable_name
from scripts.runtime.spec import ID_PATTERN, id_key, is_id

_SHORT = st.from_regex(r"[ABab][ABab12]{0,2}([-_][ABab12]{1,2}){0,2}", fullmatch=True)
_WORDS = st.sampled_from(
    [*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "con", "nul", "com1", "build", "end"]
).filter(is_id)
IDS = st.one_of(_SHORT, _WORDS, st.from_regex(ID_PATTERN, fullmatch=True).filter(is_id))


@given(one=IDS, other=IDS)
def test_different_ids_have_different_names(one: str, other: str) -> None:
    same = id_key(one) == id_key(other)
    for name in (module_name, class_name, variable_name):
        assert (name(one).casefold() == name(other).casefold()) is same


@given(id=IDS)
def test_every_name_is_an_identifier_that_is_free(id: str) -> None:
    for name in (module_name(id), class_name(id), variable_name(id)):
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert not keyword.issoftkeyword(name)
    assert not hasattr(builtins, variable_name(id))
    assert class_name(id)[0].isupper()
    assert module_name(id) == module_name(id).lower()


@given(ids=st.lists(IDS, min_size=2, max_size=6, unique_by=id_key))
def test_a_group_is_called_like_no_step(ids: list[str]) -> None:
    variables = [variable_name(id) for id in ids]
    name = group_name(variables[:2], variables)
    assert name.isidentifier()
    assert name not in variables


def test_the_names_that_the_guide_shows() -> None:
    assert module_name("ux-Expert") == "ux_expert"
    assert module_name("class") == "class_"
    assert module_name("match") == "match_"
    assert module_name("NUL") == "nul_"
    assert class_name("ux-expert") == "UxExpert"
    assert class_name("level-2") == "Level_2"
    assert class_name("level2") == "Level2"
    assert class_name("agent_node") == "AgentNode_"
    assert class_name("none") == "None_"
    assert variable_name("list") == "list_"
    assert variable_name("end") == "end_"
    assert group_name(["architect", "ux"], []) == "architect_and_ux"
    assert group_name(["a", "b"], ["a_and_b"]) == "a_and_b_"
    assert group_name(["market_researcher", "user_researcher", "risk_scout"], []) == (
        "market_researcher_and_others"
    )
