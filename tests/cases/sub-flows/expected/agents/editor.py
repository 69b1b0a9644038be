# Generated from bmad/agents/editor.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
E"""


class Editor(AgentNode):
    id = "editor"
    prompt = PROMPT
    wait_for_docs = ("text",)
    creates = "edited"
