# Generated from bmad/agents/editor.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
You are editor.
"""


class Editor(AgentNode):
    id = "editor"
    prompt = PROMPT
