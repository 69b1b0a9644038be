# Generated from bmad/agents/editor.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
Edit it.
"""


class Editor(AgentNode):
    id = "editor"
    prompt = PROMPT
    memory_scope = "shared:product"
