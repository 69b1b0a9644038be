"""BMAD v6 in its forms: what each piece says, and that no text makes a reader fail."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.compiler.diagnostics import Diagnostics
from scripts.compiler.dialects import v6
from scripts.compiler.dialects.draft import Draft
from scripts.compiler.dialects.tree import ForeignTree
from scripts.compiler.dialects.v6 import agentxml, agentyaml, helptable, layers, order
from scripts.compiler.dialects.v6.markdown import tell_dropped, without
from scripts.compiler.dialects.v6.paths import Paths, leaves
from scripts.compiler.dialects.v6.workflow import document_of
from scripts.compiler.dialects.writing import write
from scripts.compiler.load import load
from tests.project import Project

HEADER = (
    "module,skill,display-name,menu-code,description,action,args,phase,"
    "preceded-by,followed-by,required,output-location,outputs\n"
)


def tree(files: Mapping[str, str]) -> ForeignTree:
    data = {path: text.encode(errors="surrogatepass") for path, text in files.items()}
    return ForeignTree(data, "src", "src", Diagnostics())


def drafted(files: Mapping[str, str]) -> tuple[Draft, list[str]]:
    found = tree(files)
    draft = v6.read(found, found.diagnostics)
    return draft, [each.code for each in found.diagnostics]


def rows(*lines: str) -> tuple[list[helptable.Row], list[str]]:
    found = tree({"m/module-help.csv": HEADER + "\n".join(lines) + "\n"})
    return helptable.read(found, "m/module-help.csv", Draft("x")), [
        each.code for each in found.diagnostics
    ]


# -- tables


def test_a_row_that_lacks_an_edge_is_understood_and_told() -> None:
    found, codes = rows("Shop,plan,Plan,PL,x,,,plan,,true,,plan")
    assert (found[0].required, found[0].outputs, found[0].before) == (True, "plan", [])
    assert codes == ["BMAD630"]


def test_a_row_that_lacks_its_arguments_keeps_its_phase_and_its_edge() -> None:
    found, _ = rows("Shop,plan,Plan,PL,x,,plan,look,sell,true,,plan")
    assert (found[0].phase, found[0].after, found[0].before) == ("plan", ["look"], ["sell"])


def test_a_row_with_a_cell_too_many_is_left_out() -> None:
    found, codes = rows("Shop,plan,Plan,PL,what, and why,,,plan,,,true,,plan")
    assert (found, codes) == ([], ["BMAD630"])


def test_older_headers_and_their_trailing_comma_are_the_same_table() -> None:
    text = (
        "module,phase,name,code,sequence,workflow-file,command,required,agent,options,"
        "description,output-location,outputs,\n"
        'shop,1-plan,Plan,PL,10,_bmad/shop/plan/workflow.yaml,shop-plan,true,ada,,"a, b",x,plan,\n'
    )
    found = tree({"module-help.csv": text})
    row = helptable.read(found, "module-help.csv", Draft("x"))[0]
    assert (row.skill, row.agent, row.sequence, row.description) == (
        "shop-plan",
        "ada",
        "10",
        "a, b",
    )
    assert len(found.diagnostics) == 0


def test_edges_go_before_phases_and_phases_before_the_tables_order() -> None:
    found, _ = rows(
        "Shop,sell,Sell,,,,,ship,,,true,,",
        "Shop,plan,Plan,,,,,plan,,,true,,",
        "Shop,look,Look,,,,,ship,,plan,true,,",
    )
    place = tree({})
    assert [found[n].skill for n in order.ordered(found, order.edges(place, found))] == [
        "look",
        "plan",
        "sell",
    ]


def test_an_edge_may_name_a_skill_and_its_action() -> None:
    found, codes = rows(
        "Shop,plan,Check,,,check,,plan,plan:write,,true,,",
        "Shop,plan,Write,,,write,,plan,,,true,,",
    )
    ordered = order.ordered(found, order.edges(tree({}), found))
    assert [found[n].action for n in ordered] == ["write", "check"]
    assert codes == []


def test_a_circle_is_shown_in_the_order_of_running() -> None:
    found, _ = rows(
        "Shop,a,A,,,,,plan,c,,true,,",
        "Shop,b,B,,,,,plan,a,,true,,",
        "Shop,c,C,,,,,plan,b,,true,,",
    )
    with pytest.raises(order.Cycle) as caught:
        order.ordered(found, order.edges(tree({}), found))
    keys = [row.key for row in caught.value.rows]
    assert keys[0] == keys[-1]
    following = {"a": "b", "b": "c", "c": "a"}
    assert all(following[one] == other for one, other in pairwise(keys))


# -- layers


def test_layers_replace_merge_and_append() -> None:
    base = {
        "name": "Ada",
        "facts": ["a"],
        "inner": {"x": 1, "y": 2},
        "menu": [{"code": "A", "text": "old", "skill": "s"}, {"code": "B"}],
    }
    over = {
        "name": "Bo",
        "facts": ["b"],
        "inner": {"y": 3},
        "menu": [{"code": "C"}, {"code": "A", "text": "new"}],
    }
    assert layers.merged(base, over) == {
        "name": "Bo",
        "facts": ["a", "b"],
        "inner": {"x": 1, "y": 3},
        "menu": [{"code": "A", "text": "new", "skill": "s"}, {"code": "B"}, {"code": "C"}],
    }
    assert base["facts"] == ["a"]


def test_a_users_layer_is_the_strongest() -> None:
    found = tree(
        {
            "s/keeper/customize.toml": '[agent]\nrole = "one"\n',
            "_bmad/custom/keeper.toml": '[agent]\nrole = "two"\n',
            "_bmad/custom/keeper.user.toml": '[agent]\nrole = "three"\n',
        }
    )
    table, used = layers.skill_table(found, "s/keeper/customize.toml", "keeper")
    assert table == {"agent": {"role": "three"}}
    assert len(used) == 3


def test_broken_toml_is_told_with_its_line() -> None:
    found = tree({"customize.toml": '[agent]\nname = "Ada"\nrole = oops\n'})
    assert layers.read(found, "customize.toml") is None
    assert [(each.code, each.line) for each in found.diagnostics] == [("BMAD634", 3)]


# -- agents


def test_all_shapes_of_a_multiple_item_are_commands() -> None:
    text = """\
agent:
  metadata: {id: k, name: A, title: T, icon: I}
  persona: {role: r, identity: i, communication_style: c, principles: [p]}
  menu:
    - multi: Talk
      triggers:
        - one: [{input: O}, {action: do one}, {type: action}]
        - two: {input: T, action: do two}
        - {trigger: T or fuzzy match on three, action: do three}
"""
    found = tree({"a/k.agent.yaml": text})
    persona = agentyaml.read_agent(found, "a/k.agent.yaml")
    assert persona is not None
    assert {item.name: item.text for item in persona.menu} == {
        "one": "Talk\n\ndo one",
        "two": "Talk\n\ndo two",
        "three": "Talk\n\ndo three",
    }


def test_xml_tells_the_line_of_the_file() -> None:
    text = (
        "# Torn\n\n```xml\n<agent id='x' name='X'>\n  <persona><role>r</persona>\n</agent>\n```\n"
    )
    found = tree({"agents/x.md": text})
    assert agentxml.read_agent(found, "agents/x.md") is None
    assert [(each.code, each.line) for each in found.diagnostics] == [("BMAD632", 5)]


def test_entities_are_never_expanded() -> None:
    bomb = (
        "<agent id='x'><!DOCTYPE a [<!ENTITY e 'boom'>]><persona><role>&e;</role></persona></agent>"
    )
    found = tree({"agents/x.md": bomb})
    assert agentxml.read_agent(found, "agents/x.md") is None
    assert [each.code for each in found.diagnostics] == ["BMAD633"]


def test_sections_for_a_person_go_with_what_stands_below_them() -> None:
    text, dropped = without(
        "# A\n\nkeep\n\n## Greet the User\n\nhello\n\n### More\n\nhi\n\n## Work\n\ngo"
    )
    assert text == "# A\n\nkeep\n\n## Work\n\ngo"
    draft = Draft("x")
    assert tell_dropped(draft, "s/SKILL.md", 4, dropped) == 1
    told = [(each.at, each.name, each.fate) for each in draft.accounts]
    assert told == [(("s/SKILL.md", 8, 1), "Greet the User", "left")]


def test_the_report_says_what_becomes_of_each_column() -> None:
    table = "module,skill,display-name,menu-code,shoes\nShop,shop-buy,Buy,B,x\n"
    draft = Draft("x")
    assert len(helptable.read(tree({"module-help.csv": table}), "module-help.csv", draft)) == 1
    assert {each.name: each.fate for each in draft.accounts} == {
        "module": "carried",
        "skill": "carried",
        "display-name": "approximated",
        "menu-code": "left",
        "shoes": "left",
    }
    assert all(each.why and each.at.line == 1 for each in draft.accounts)


def test_conventions_are_left_out_where_they_only_say_where_names_lead() -> None:
    lines = "## Conventions\n\n- Bare paths resolve from here.\n- `{x}` resolves to a folder.\n"
    text, dropped = without(f"# A\n{lines}\n## B\n\ngo")
    assert (text, [each.title for each in dropped]) == ("# A\n## B\n\ngo", ["Conventions"])
    kept = without(f"# A\n{lines}- Be brief.\n\n## B\n\ngo")
    assert kept == ("# A\n## Conventions\n\n- Be brief.\n\n## B\n\ngo", [])


# -- paths and documents


def test_names_lead_to_files_wherever_the_project_was_installed() -> None:
    paths = Paths(tree({"src/bmm/a/plan.md": "", "src/core/a/plan.md": "", "top.md": ""}))
    assert paths.find("{project-root}/_bmad/core/a/plan.md") == "src/core/a/plan.md"
    assert paths.find("./plan.md", "src/bmm/a") == "src/bmm/a/plan.md"
    assert paths.find("../../../top.md", "src/bmm/a") == "top.md"
    assert paths.find("../../../../top.md", "src/bmm/a") is None


def test_a_bare_name_means_a_file_of_the_same_skill() -> None:
    paths = Paths(
        tree({"s/a/SKILL.md": "", "s/b/check.md": "", "s/b/c/d.md": "", "s/a/e/f.md": ""})
    )
    assert paths.mentioned("check.md", "s/a/SKILL.md", "s/a") is None
    assert paths.mentioned("c/d.md", "s/a/SKILL.md", "s/a") is None
    assert paths.mentioned("f.md", "s/a/SKILL.md", "s/a") == "s/a/e/f.md"
    assert paths.mentioned("../b/check.md", "s/a/SKILL.md", "s/a") == "s/b/check.md"
    assert paths.mentioned("{project-root}/_bmad/check.md", "s/a/x.md", "s/a") == "s/b/check.md"
    assert paths.mentioned("check.md", "s/b/SKILL.md", "s/b") == "s/b/check.md"


@pytest.mark.parametrize("name", ["/etc/passwd", "~/x.md", "C:\\x.md", "../x.md", "a/../../x.md"])
def test_names_that_lead_out_are_known(name: str) -> None:
    assert leaves(name, "")


@pytest.mark.parametrize(
    ("said", "document"),
    [
        ("prd", "prd"),
        ("epics and stories", "epics-and-stories"),
        ("SPEC.md + companion files", "spec"),
        ("brief (optional)", "brief"),
        ("product-brief-{{project_name}}-{{date}}.md", "product-brief"),
        ("sprint-status.yaml", "sprint-status.yaml"),
        ("*", ""),
        ("", ""),
    ],
)
def test_documents_have_plain_names(said: str, document: str) -> None:
    assert document_of(said) == document


# -- flows

SHOP = {
    "s/module-help.csv": HEADER
    + "Shop,shop-plan,Plan,PL,x,,,plan,,,true,,plan\n"
    + "Shop,shop-buy,Buy,BU,x,,,plan,shop-plan,,false,,orders\n",
    "s/keeper/SKILL.md": "---\nname: keeper\ndescription: Keeps.\n---\n# Ada\n",
    "s/keeper/customize.toml": (
        '[agent]\nname = "Ada"\n[[agent.menu]]\ncode = "PL"\ndescription = "Plan"\n'
        'skill = "shop-plan"\n'
    ),
    "s/shop-plan/SKILL.md": (
        "---\nname: shop-plan\ndescription: Plans.\n---\nRead `./steps/step-01-a.md`.\n"
    ),
    "s/shop-plan/steps/step-01-a.md": "One.\n\nRead `./step-02-b.md`\n",
    "s/shop-plan/steps/step-02-b.md": "Two.\n",
    "s/shop-buy/SKILL.md": "---\nname: shop-buy\ndescription: Buys.\n---\nBuy.\n",
}


def test_a_table_is_a_flow_of_the_workflows_flows() -> None:
    draft, _ = drafted(SHOP)
    flows = {flow.name: [step.keys for step in flow.steps] for flow in draft.flows}
    assert flows["shop"] == [
        {"flow": "shop-plan"},
        {"flow": "shop-buy", "when": 'inputs.optional["shop-buy"]'},
    ]


def test_step_files_are_steps_of_whoever_has_the_workflow_on_the_menu() -> None:
    draft, _ = drafted(SHOP)
    flow = next(flow for flow in draft.flows if flow.name == "shop-plan")
    assert [(step.keys["agent"], step.keys["id"]) for step in flow.steps] == [
        ("keeper", "step-01-a"),
        ("keeper", "step-02-b"),
    ]
    assert flow.steps[1].keys["task"] == ["shop-plan/SKILL.md", "shop-plan/steps/step-02-b.md"]
    assert [step.keys.get("creates") for step in flow.steps] == ["plan.md", "plan.md"]
    assert [step.keys.get("requires") for step in flow.steps] == [None, ["plan.md"]]
    assert "as the steps before left it" in flow.steps[1].keys["note"]
    buy = next(flow for flow in draft.flows if flow.name == "shop-buy")
    assert (buy.steps[0].keys["agent"], buy.steps[0].keys["reads"]) == ("shop-buy", ["plan.md"])


def test_settings_that_are_more_than_a_text_are_told_to_each_step() -> None:
    said = "Ask each of {workflow.tasters}, at most {workflow.rounds} times.\n"
    own = '[workflow]\nrounds = 3\nmotto = "Rye first."\n[[workflow.tasters]]\nname = "Bo"\n'
    files = {"s/shop-buy/SKILL.md": SHOP["s/shop-buy/SKILL.md"] + said}
    draft, _ = drafted({**SHOP, **files, "s/shop-buy/customize.toml": own})
    flow = next(flow for flow in draft.flows if flow.name == "shop-buy")
    assert flow.steps[0].keys["data"] == "shop-buy/settings.yaml"
    settings = draft.files["data/shop-buy/settings.yaml"].data.decode()
    assert settings == "motto: Rye first.\ntasters:\n  - name: Bo\n", "the text says the rounds"
    command = next(a for a in draft.agents if a.id == "keeper").keys["commands"][0]["PL"]
    assert "data" not in command, "the settings are of another skill"
    text = draft.files["tasks/shop-buy/SKILL.md"].data.decode()
    assert "Ask each of what stands under tasters in the settings, at most 3 times." in text


def test_a_skill_that_forwards_is_the_others_steps_told_its_own_text() -> None:
    old = (
        "---\nname: shop-old\ndescription: 'Deprecated - forwards to shop-plan.'\n---\nRye only.\n"
    )
    draft, _ = drafted({**SHOP, "s/shop-old/SKILL.md": old})
    flows = {flow.name: flow.steps for flow in draft.flows}
    for step, same in zip(flows["shop-old"], flows["shop-plan"], strict=True):
        assert step.keys["note"] == f"Rye only.\n\n{same.keys['note']}"
        assert step.keys | {"note": ""} == same.keys | {"note": ""}
    assert "tasks/shop-old/SKILL.md" not in draft.files


def test_skills_that_forward_to_each_other_stay_what_they_are() -> None:
    old = "---\nname: {}\ndescription: 'Deprecated, forwards to {}.'\n---\nRye only.\n"
    files = {"s/a-a/SKILL.md": old.format("a-a", "b-b"), "s/b-b/SKILL.md": old.format("b-b", "a-a")}
    draft, _ = drafted(SHOP | files)
    flows = {flow.name: flow.steps for flow in draft.flows}
    assert [step.keys["agent"] for step in (*flows["a-a"], *flows["b-b"])] == ["a-a", "b-b"]


def test_a_step_files_front_matter_fills_its_text() -> None:
    step = (
        "---\nname: two\nlist: '{project-root}/s/shop-plan/rye.csv'\nnone: ''\n---\n"
        "Two {name} {list} {none}.\n"
    )
    files = {"s/shop-plan/steps/step-02-b.md": step, "s/shop-plan/rye.csv": "rye\n"}
    draft, _ = drafted(SHOP | files)
    text = draft.files["tasks/shop-plan/steps/step-02-b.md"].data.decode()
    assert text == "Two {name} data/shop-plan/rye.csv {none}.\n"


def test_the_order_of_files_does_not_matter() -> None:
    one = write(drafted(SHOP)[0]).files
    other = write(drafted(dict(reversed(SHOP.items())))[0]).files
    assert one == other


def test_a_next_step_that_is_declared_and_not_there_is_an_error() -> None:
    files = SHOP | {"s/shop-plan/steps/step-02-b.md": "---\nnextStepFile: './no.md'\n---\nTwo.\n"}
    assert "BMAD636" in drafted(files)[1]


def test_steps_that_go_in_a_circle_end() -> None:
    files = SHOP | {
        "s/shop-plan/steps/step-02-b.md": "---\nnextStepFile: './step-01-a.md'\n---\nTwo.\n"
    }
    draft, _ = drafted(files)
    assert len(next(flow for flow in draft.flows if flow.name == "shop-plan").steps) == 2


TEXT = st.text(
    alphabet=st.sampled_from("ab-:|>\"'{}[]<>/&#*,\n \t\0é.") | st.characters(codec="utf-8"),
    max_size=200,
)


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, TEXT, TEXT)
def test_no_text_makes_a_reader_fail(one: str, two: str, three: str, four: str) -> None:
    files = SHOP | {
        "s/agents/a.agent.yaml": f"agent:\n{one}",
        "s/agents/b.md": f"<agent id='b' name='b'>{two}</agent>",
        "s/module-help.csv": HEADER + three,
        "s/keeper/customize.toml": four,
        "s/shop-plan/SKILL.md": f"---\n{one}\n---\n{two} `./steps/step-01-a.md`",
        "s/workflows/w/workflow.yaml": f"name: w\ninstructions: {four}",
        "s/workflows/w/workflow.md": three,
        "_bmad/_config/agent-manifest.csv": f"name,path\n{two}",
        "s/module.yaml": f"code: s\n{three}",
    }
    write(drafted(files)[0])


NAMES = st.sampled_from(["plan", "report", "end", "step-01-a", "a", "A-b", "a_b"])
ROW = st.tuples(
    NAMES,  # its skill
    NAMES,  # its own name
    st.sampled_from(["", "", "a"]),
    st.sampled_from(["1-plan", "2-do", "", "anytime"]),
    st.sampled_from(["true", "false"]),
    NAMES | st.just(""),  # what it puts out
)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5), st.lists(NAMES, max_size=3), NAMES)
def test_whatever_names_a_table_gives_its_flows_are_valid(
    tmp_path_factory: pytest.TempPathFactory,
    table: list[tuple[str, ...]],
    steps: list[str],
    owner: str,
) -> None:
    files = {
        "s/module-help.csv": HEADER
        + "".join(
            f"Shop,{skill},{name},X,x,{action},,{phase},,,{required},,{outputs}\n"
            for skill, name, action, phase, required, outputs in table
        ),
        "s/keeper/SKILL.md": f"---\nname: {owner}\ndescription: Keeps.\n---\n# Ada\n",
        "s/keeper/customize.toml": SHOP["s/keeper/customize.toml"].replace("shop-plan", "plan"),
    }
    pages = [f"step-0{number}-{name}.md" for number, name in enumerate(steps, 1)]
    for skill in {row[0] for row in table}:
        first = f"Read `./steps/{pages[0]}`\n" if pages else ""
        files[f"s/{skill}/SKILL.md"] = f"---\nname: {skill}\ndescription: d\n---\nDo.\n{first}"
        for page, following in zip(pages, [*pages[1:], ""], strict=False):
            text = f"Read `./{following}`\n" if following else "Done.\n"
            files[f"s/{skill}/steps/{page}"] = text
    src = tmp_path_factory.mktemp("any") / "bmad"
    Project(src.parent).write(files)
    found = Diagnostics()
    load(src, "bmad", found)
    assert [each for each in found if each.severity == "error"] == []


def test_a_path_given_as_an_example_leads_to_no_steps_of_another_workflow() -> None:
    said = "## Conventions\n\n- Names (e.g. `steps/step-01-a.md`) are meant from here.\n\nBuy.\n"
    head = "---\nname: shop-buy\ndescription: Buys.\n---\n"
    draft, codes = drafted(SHOP | {"s/shop-buy/SKILL.md": f"{head}{said}"})
    assert [len(f.steps) for f in draft.flows if f.name == "shop-buy"] == [1]
    assert "BMAD605" not in codes
    draft, codes = drafted(SHOP | {"s/shop-buy/SKILL.md": f"{head}Read `steps/step-01-a.md`.\n"})
    assert [len(f.steps) for f in draft.flows if f.name == "shop-buy"] == [1]
    assert "BMAD605" in codes


def test_who_writes_a_document_that_another_wrote_is_shown_it() -> None:
    draft, _ = drafted(
        SHOP | {"s/module-help.csv": SHOP["s/module-help.csv"].replace(",orders\n", ",plan\n")}
    )
    buy = next(flow for flow in draft.flows if flow.name == "shop-buy").steps[0].keys
    assert (buy["reads"], buy["creates"]) == (["plan.md"], "plan.md")
    assert "the whole of it" in buy["note"]


def test_a_step_is_not_called_like_a_document_that_another_creates() -> None:
    table = SHOP["s/module-help.csv"].replace(",orders\n", ",shop-plan\n")
    draft, _ = drafted(SHOP | {"s/module-help.csv": table})
    flow = next(flow for flow in draft.flows if flow.name == "shop")
    assert flow.steps[0].keys == {"flow": "shop-plan", "id": "plan"}


# -- what installations and authors' own modules look like


def said_of(path: str, draft: Draft) -> list[str]:
    return [each.fate for each in draft.accounts if each.at.path == path]


def test_a_workflow_inside_anothers_folder_keeps_its_text_as_a_task() -> None:
    skill = "---\nname: {0}\ndescription: d\n---\nDo {0}.\n"
    files = {
        "m/module-help.csv": HEADER + "Shop,outer,Outer,O,x,,,1-a,,,true,,a\n",
        "m/outer/SKILL.md": skill.format("outer"),
        "m/outer/inner/SKILL.md": skill.format("inner"),
        "m/outer/examples/blank/SKILL.md": skill.format("blank"),
    }
    draft, _ = drafted(files)
    steps = {flow.name: flow.steps[0].keys.get("task") for flow in draft.flows}
    assert steps["inner"] == "inner/SKILL.md"
    assert "tasks/inner/SKILL.md" in draft.files
    assert "blank" not in steps
    assert said_of("m/outer/examples/blank/SKILL.md", draft) == ["left"]


def test_a_skill_that_sends_to_a_page_beside_it_is_one_workflow_with_the_pages_steps() -> None:
    files = {
        "m/module-help.csv": HEADER + "Shop,plan,Plan,P,x,,,1-a,,,true,,a\n",
        "m/workflows/plan/SKILL.md": "---\ndescription: d\n---\nFollow ./workflow.md.\n",
        "m/workflows/plan/workflow.md": "# Plan\n\nThen `./steps/step-01-look.md`.\n",
        "m/workflows/plan/steps/step-01-look.md": "# Look\n",
    }
    draft, codes = drafted(files)
    assert [flow.name for flow in draft.flows] == ["plan", "shop"]
    assert draft.flows[0].steps[0].keys["task"] == [
        "plan/workflow.md",
        "plan/steps/step-01-look.md",
    ]
    assert codes.count("BMAD607") == 0


def test_an_agent_that_stands_beside_its_source_is_no_second_agent() -> None:
    xml = '<agent id="x" name="Kim" title="Keeper"><persona><role>r</role></persona></agent>\n'
    yaml = (
        "agent:\n  metadata: {id: x, name: Kim, title: Keeper, icon: i}\n"
        "  persona: {role: r, identity: i, communication_style: s, principles: [p]}\n"
        "  menu: [{trigger: sell, action: sell, description: d}]\n"
    )
    files = {"_bmad/shop/agents/kim.agent.yaml": yaml, "_bmad/shop/agents/kim.md": xml}
    files["_bmad/_config/agent-manifest.csv"] = (
        "name,displayName,title,role,module,path\nkim,Kim,Keeper,r,shop,_bmad/shop/agents/kim.md\n"
    )
    draft, codes = drafted(files)
    assert ([agent.id for agent in draft.agents], codes) == (["kim"], [])


def test_an_agents_parts_may_stand_beside_agent_and_its_own_keys_are_told() -> None:
    yaml = (
        "agent: {id: x, name: Kim, title: Keeper, icon: i}\n"
        "persona:\n  role: Keeps it\n  identity: i\n  communication_style: s\n"
        "  principles: [Be kind]\n  focus: The till\n  depth: 3\n"
        'menu:\n  - {cmd: "*sell", action: Sell it, description: d}\n'
    )
    draft, codes = drafted({"shop/agents/kim.agent.yaml": yaml})
    agent = draft.agents[0]
    assert "Keeps it" in agent.persona
    assert "Be kind" in agent.prompt
    assert "## Focus\n\nThe till" in agent.prompt
    assert [next(iter(each)) for each in agent.keys["commands"]] == ["sell"]
    assert set(codes) == {"BMAD631"}
    assert "depth" in {each.name for each in draft.accounts if each.fate == "left"}


def test_a_fault_that_many_items_share_is_one_finding() -> None:
    items = "".join(f"    - {{trigger: t{number}, description: d}}\n" for number in range(9))
    yaml = (
        "agent:\n  metadata: {id: x, name: Kim, title: Keeper, icon: i}\n"
        "  persona: {role: r, identity: i, communication_style: s, principles: [p]}\n"
        f"  menu:\n{items}"
    )
    found = tree({"shop/agents/kim.agent.yaml": yaml})
    draft = v6.read(found, found.diagnostics)
    assert len(draft.agents[0].keys["commands"]) == 9
    (told,) = [each for each in found.diagnostics if each.code == "BMAD631"]
    assert "9 times" in told.message


def test_a_sign_that_begins_no_element_is_mended_and_a_broken_element_is_not() -> None:
    words = "<agent id='x' name='Kim'><persona><role>{}</role></persona></agent>\n"
    for text in ("sure < 90%", "<- so", "give <some file>"):
        draft, codes = drafted({"_bmad/m/agents/kim.md": words.format(text)})
        assert codes == ["BMAD638"], text
        assert text in draft.agents[0].persona
    draft, codes = drafted({"_bmad/m/agents/kim.md": words.format("<identity>torn")})
    assert (draft.agents, codes) == ([], ["BMAD632"])


def test_an_installed_name_is_found_in_the_modules_own_repository() -> None:
    files = ("src/workflows/plan/workflow.md", "top/_bmad/shop/look/workflow.md", "src/workflow.md")
    paths = Paths(tree(dict.fromkeys(files, "x")))
    assert paths.find("{project-root}/_bmad/shop/workflows/plan/workflow.md") == files[0]
    assert paths.find("{project-root}/copy/_bmad/shop/look/workflow.md") == files[1]
    assert paths.find("{project-root}/_bmad/shop/gone/workflow.md") is None


def test_skills_of_editors_are_read_once_and_only_those_of_bmad() -> None:
    skill = "---\nname: {0}\ndescription: d\n---\nDo {0}.\n"
    files = {
        "_bmad/m/module-help.csv": HEADER + "Shop,plan,Plan,P,x,,,1-a,,,true,,a\n",
        ".agents/skills/plan/SKILL.md": skill.format("plan"),
        ".claude/skills/plan/SKILL.md": skill.format("plan") + "More.\n",
        ".claude/skills/plan/data.md": "x\n",
        ".claude/skills/mine/SKILL.md": skill.format("mine"),
    }
    draft, codes = drafted(files)
    assert [flow.name for flow in draft.flows] == ["plan", "shop"]
    assert {".claude/skills/plan/SKILL.md", ".claude/skills/plan/data.md"} <= draft.taken.keys()
    assert ".claude/skills/mine/SKILL.md" not in draft.taken
    assert "BMAD611" in codes
    why = [each.why for each in draft.accounts if each.at.path == ".claude/skills/plan/SKILL.md"]
    assert why == [".agents/skills/plan/SKILL.md is read, which differs from it"]


def test_a_step_that_names_itself_is_carried_out_once_and_the_next_number_follows() -> None:
    steps = {"step-01-a": "./step-02-b.md", "step-02-b": "./step-02-b.md", "step-03-c": ""}
    files = {
        f"m/workflows/build/steps/{name}.md": f"---\nnextStepFile: '{after}'\n---\nDo it.\n"
        for name, after in steps.items()
    }
    files["m/workflows/build/workflow.md"] = "Load `./steps/step-01-a.md`.\n"
    files["m/module-help.csv"] = HEADER + "Shop,build,Build,B,x,,,1-a,,,true,,a\n"
    draft, codes = drafted(files)
    assert [step.keys["id"] for step in draft.flows[0].steps] == list(steps)
    assert ("BMAD614" in codes, "BMAD635" in codes) == (True, False)


def test_an_agent_in_a_form_of_its_authors_keeps_all_that_it_says() -> None:
    yaml = (
        "name: kim\nversion: 2\nmodel: big\ndescription: Keeps shops\npersona: You keep a shop.\n"
        "instructions: |\n  Count the till.\nduties:\n  - {what: till, when: daily}\n"
        "prompts:\n  sell: Sell it.\n  buy: {content: Buy it., note: x}\n"
    )
    draft, codes = drafted({"shop/agents/kim.agent.yaml": yaml})
    agent = draft.agents[0]
    assert (agent.id, agent.description) == ("kim", "Keeps shops")
    assert "Identity: You keep a shop." in agent.persona
    assert "## Instructions\n\nCount the till." in agent.prompt
    assert "## Duties\n\n- what: till\n  when: daily" in agent.prompt
    assert agent.keys["commands"] == [{"sell": "Sell it."}, {"buy": "Buy it."}]
    left = {each.name for each in draft.accounts if each.fate == "left"}
    assert (left, set(codes)) == ({"version", "model"}, {"BMAD631"})
    assert "version" not in agent.prompt.lower()


def test_a_menu_item_may_hold_its_prompt_or_name_one() -> None:
    yaml = (
        "agent:\n  metadata: {id: x, name: Kim, title: Keeper, icon: i}\n"
        "  persona: {role: r, identity: i, communication_style: s, principles: [p]}\n"
        "  prompts: [{id: till, content: Count it.}]\n"
        "  menu:\n    - {trigger: count, prompt: till, description: d}\n"
        "    - {trigger: sell, prompt: Sell it., description: d}\n"
        "activation: You open at nine.\n"
    )
    draft, codes = drafted({"shop/agents/kim.agent.yaml": yaml})
    agent = draft.agents[0]
    assert agent.keys["commands"] == [{"count": "d\n\nCount it."}, {"sell": "d\n\nSell it."}]
    assert "## Activation\n\nYou open at nine." in agent.prompt
    assert codes == ["BMAD631"], "the key beside agent:"
