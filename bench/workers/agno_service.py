"""Agno's AgentOS with a workflow of ten steps that answer a constant; no database."""

from __future__ import annotations

from agno.os import AgentOS
from agno.workflow import Workflow

from .agno_workflow import step

STEPS = 10

_workflow = Workflow(
    id="ten",
    name="ten",
    steps=[step(f"a{number}", 0.0) for number in range(STEPS)],
    telemetry=False,
)
app = AgentOS(workflows=[_workflow], telemetry=False).get_app()
