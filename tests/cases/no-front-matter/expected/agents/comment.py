# Generated from bmad/agents/comment.md. Edit that file, then run bmad2pf.

from ..runtime.node import AgentNode

PROMPT = """\
No keys either.
"""


class Comment(AgentNode):
    id = "comment"
    prompt = PROMPT
