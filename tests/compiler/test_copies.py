"""What stands more than once in a project of BMAD v6 is read once, and told."""

from __future__ import annotations

from scripts.compiler.dialects import detect
from tests.conftest import MakeProject

from .test_v6 import drafted

XML = (
    '---\nname: "kim"\ndescription: "Keeper"\n---\n\n```xml\n<agent id="bmad/shop/agents/kim.md" '
    'name="Kim" title="Keeper">\n<persona><role>Keeps it</role></persona>\n</agent>\n```\n'
)
PAGE = "---\nname: plan\ndescription: d\n---\nPlan it.\n"


def _left(files: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    draft, _ = drafted(files)
    left = {each.at.path: each.why for each in draft.accounts if each.fate == "left"}
    assert left.keys() <= draft.taken.keys(), "or another reader takes it for something else"
    return [agent.id for agent in draft.agents], left


def test_an_agent_that_an_editor_was_given_is_the_projects_own() -> None:
    editors = ".claude/commands/bmad/shop/agents/kim.md"
    own = {"bmad/shop/agents/kim.md": XML, editors: XML}
    assert _left(own) == (["kim"], {editors: "bmad/shop/agents/kim.md is read"})
    differs = _left(own | {editors: XML.replace("Keeps", "Sells")})
    assert differs[1][editors] == "bmad/shop/agents/kim.md is read, which differs from it"
    by_id = {"bmad/shop/agents/kim.md": XML, ".claude/agents/shopkeeper.md": XML}
    assert _left(by_id)[0] == ["kim"]


def test_an_agent_that_only_an_editor_has_is_read_once() -> None:
    first, second = ".claude/commands/bmad/shop/agents/kim.md", ".gemini/bmad/shop/agents/kim.md"
    assert _left({first: XML, second: XML}) == (["kim"], {second: f"{first} is read"})


def test_a_compiled_agent_is_its_source_wherever_that_stands() -> None:
    yaml = (
        "agent:\n  metadata: {id: x, name: Kim, title: Keeper, icon: i}\n"
        "  persona: {role: r, identity: i, communication_style: s, principles: [p]}\n"
        "  menu: [{trigger: sell, action: sell, description: d}]\n"
    )
    source, made = "src/shop/agents/kim.agent.yaml", "bmad/shop/agents/kim.md"
    agents, left = _left({source: yaml, made: XML})
    assert (agents, left[made]) == (["kim"], f"BMAD made it from {source}")
    beside = "src/shop/agents/kim.agent.md"
    assert _left({source: yaml, beside: XML})[1][beside] == f"BMAD made it from {source}"
    assert len(_left({source: yaml, "other/shop/agents/kim.md": XML})[0]) == 2


def test_a_workflow_that_stands_elsewhere_word_for_word_is_one() -> None:
    one, other = "bmad/shop/workflows/plan", "shop/workflows/plan"
    files = {f"{folder}/workflow.md": PAGE for folder in (one, other)}
    files |= {f"{folder}/data.md": "d\n" for folder in (one, other)}
    draft, codes = drafted(files | {"bmad/shop/agents/kim.md": XML})
    assert ([flow.name for flow in draft.flows], codes.count("BMAD611")) == (["plan"], 1)
    assert {f"{other}/workflow.md", f"{other}/data.md"} <= draft.taken.keys()
    files[f"{other}/data.md"] = "another\n"
    draft, _ = drafted(files | {"bmad/shop/agents/kim.md": XML})
    assert len(draft.flows) == 2


def test_a_plan_beside_a_workflow_is_none() -> None:
    files = {
        "bmad/shop/workflows/plan/workflow.md": PAGE,
        "bmad/shop/workflows/plan/workflow-plan.md": "# Plan of the plan\n",
        "bmad/shop/workflows/plan/workflow-template.md": PAGE,
        "bmad/shop/workflows/plan/workflow-edit.md": PAGE.replace("plan", "edit-plan", 1),
        "bmad/shop/agents/kim.md": XML,
    }
    draft, _ = drafted(files)
    assert sorted(flow.name for flow in draft.flows) == ["edit-plan", "plan"]


def test_a_native_agent_may_show_agents_of_other_forms(project: MakeProject) -> None:
    fence = "```yaml\nagent: {id: b}\npersona: {role: Bee}\n```\n"
    native = f"---\nid: builder\n---\nWrite such as\n\n{fence}\nor\n\n{XML}"
    assert detect.of_agent(native).kind == "native"
    made = project({"agents/builder.md": native, "agents/other.md": f"---\nid: o\n---\n{fence}"})
    assert made.compile().returncode == 0
    assert "<agent id=" in (made.out / "agents/builder.py").read_text("utf-8")


def test_a_row_of_a_manifest_whose_file_holds_no_agent_of_v6() -> None:
    header = "name,displayName,title,role,module,path\n"
    files = {
        "_bmad/_config/agent-manifest.csv": header
        + "kim,Kim,Keeper,r,shop,_bmad/shop/agents/kim.md\n"
        + "ann,Ann,Buyer,r,shop,_bmad/shop/agents/ann.md (and more)\n",
        "_bmad/shop/agents/kim.md": "# Kim\n\nCount the till.\n",
        "_bmad/shop/agents/ann.md": "---\nname: ann\ndescription: d\n---\nBuy.\n",
    }
    draft, codes = drafted(files)
    assert ([agent.id for agent in draft.agents], codes) == (["kim"], ["BMAD644"])
    assert "Count the till." in draft.agents[0].prompt
    assert draft.agents[0].persona.startswith("You are Kim, Keeper.")
    assert "_bmad/shop/agents/ann.md" not in draft.taken, "it is read as what it is"


def test_an_agents_tag_named_in_a_sentence_is_a_text() -> None:
    said = '<activation>Say your id, from <agent id="..."> at the top.</activation>\n<persona>'
    draft, codes = drafted({"bmad/shop/agents/kim.md": XML.replace("<persona>", said)})
    assert ([agent.id for agent in draft.agents], codes) == (["kim"], ["BMAD600", "BMAD638"])


def test_what_native_agents_read_is_no_workflow_beside_an_agent_of_another_form(
    project: MakeProject,
) -> None:
    fence = "```yaml\nagent: {id: b, title: B}\npersona: {role: Bee}\n```\n"
    made = project(
        {
            "agents/reader.md": "---\nid: reader\ndata: [plan/workflow.yaml]\n---\nRead.\n",
            "agents/bee.md": fence,
            "data/plan/workflow.yaml": "name: plan\ninstructions: '{installed_path}/steps.md'\n",
            "data/plan/steps.md": "Do.\n",
            "data/plan/agents/kim.md": XML,
        }
    )
    done = made.compile()
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (made.out / "agents").glob("*.py")) == [
        "__init__.py",
        "b.py",
        "reader.py",
    ]
    assert (made.out / "assets/data/plan/workflow.yaml").is_file()
