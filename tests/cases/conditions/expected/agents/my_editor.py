# Generated from bmad/agents/my-editor.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
E"""


class MyEditor(AgentNode):
    id = "my-editor"
    prompt = PROMPT
