"""`memory_recall` from the Markdown to the answer, in one real service."""

from __future__ import annotations

from tests.conftest import MakeProject, StartService


def test_what_fits_reaches_the_agent(project: MakeProject, service: StartService) -> None:
    made = project(
        {
            "agents/analyst.md": "---\nmemory_recall: 2\n---\nFind the facts.\n",
            "agents/critic.md": "Judge them.\n",
        }
    )
    made.write({"runtime.yaml": "prompt:\n  memory: 40\n"}, under="config")
    made.generate()
    running = service(made.root)
    for story, agent in (("S-1", "analyst"), ("S-2", "analyst"), ("S-1", "critic")):
        for number in range(5):
            text = f"penguins of {agent} in {story}, note {number}"
            put = running.client.put(f"/memory/{agent}:{story}/note{number}", json=text)
            assert put.status_code == 200
    answer = running.run("where do penguins live, by note 1?", "S-1").json()
    assert "Recalled entries, most relevant first" in answer["results"]["analyst"]
    assert "Recalled" not in answer["results"]["critic"]
    assert (made.root / "memory" / ".index").is_dir()
    assert running.client.get("/agent/analyst").json()["memory_recall"] == 2
