"""Which step files of BMAD v6 are steps, and what workflows of one name are called."""

from __future__ import annotations

from .test_v6 import HEADER, drafted

ROW = {"m/module-help.csv": HEADER + "Shop,build,Build,B,x,,,1-a,,,true,,a\n"}


def test_steps_may_be_named_without_their_files_endings() -> None:
    files = ROW | {
        "m/build/SKILL.md": "---\nname: build\ndescription: d\n---\n1. **step-01-a**\n",
        "m/build/steps/step-01-a.md": "Do. Proceed to `step-02-b.md`.\n",
        "m/build/steps/step-02-b.md": "Do.\n",
        "m/build/steps/step-10-edit.md": "Change.\n",
    }
    draft, codes = drafted(files)
    assert [step.keys["id"] for step in draft.flows[0].steps] == ["step-01-a", "step-02-b"]
    aside = [each.at.path for each in draft.accounts if each.fate == "approximated"]
    assert ("m/build/steps/step-10-edit.md" in aside, codes) == (True, [])
    other = files["m/build/SKILL.md"].replace("step-01-a", "step-01-about")
    draft, _ = drafted(files | {"m/build/SKILL.md": other})
    assert len(draft.flows[0].steps) == 1


def test_steps_of_a_workflow_inside_another_are_only_its_own() -> None:
    inner = "m/build/workflows/look"
    files = ROW | {
        "m/build/SKILL.md": "---\nname: build\ndescription: d\n---\nBuild it.\n",
        f"{inner}/workflow.md": "---\nfirstStepFile: ./steps/step-01-a.md\n---\nLook.\n",
        f"{inner}/steps/step-01-a.md": "Do.\n",
    }
    draft, _ = drafted(files)
    assert {flow.name for flow in draft.flows} >= {"build", "look"}
    assert not any("no step leads" in each.why for each in draft.accounts)


def test_workflows_of_one_name_get_that_of_a_folder() -> None:
    files = dict(ROW)
    for folder in ("tills", "shelves"):
        files[f"m/{folder}/workflows/look/workflow.md"] = f"Look at {folder}.\n"
    draft, _ = drafted(files)
    assert {flow.name for flow in draft.flows} >= {"look", "tills-look"}
