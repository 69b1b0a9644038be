# Generated from bmad/agents/api.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
A"""


class Api(AgentNode):
    id = "api"
    prompt = PROMPT
    wait_for_agents = ("ux",)
