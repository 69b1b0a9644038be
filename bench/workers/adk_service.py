"""ADK's api_server on the agent in `adk_agent`, all its services in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from google.adk.cli.fast_api import get_fast_api_app

# It finds agents in folders: one that imports ours.
_agents = Path(tempfile.mkdtemp(prefix="bench-adk-"))
(_agents / "ten").mkdir()
(_agents / "ten" / "__init__.py").write_text("from . import agent\n", encoding="utf-8")
(_agents / "ten" / "agent.py").write_text(
    "from bench.workers.adk_agent import root_agent\n", encoding="utf-8"
)
app = get_fast_api_app(
    agents_dir=str(_agents),
    session_service_uri="memory://",
    artifact_service_uri="memory://",
    auto_create_session=True,
    web=False,
)
