# Generated from bmad/agents/a.md. Edit that file, then run bmad2pf.
"""Says \"\"\"x\"\"\", \\N{BULLET} {{ y }} and {% z %}"""

from ..runtime.node import AgentNode

PROMPT = """\
He said \"\"\"hi\"\"\" and '''ho''' \\N{BULLET} {{ 7*7 }} {% raw %} ${x} %s {name} \\
	tab\x0c form feed
# no comment
\u2028 separator 😀 \ufeff bom
---
not: front matter
---
```
---
```
trailing \x20
ends with a quote\""""


class A(AgentNode):
    id = "a"
    prompt = PROMPT
    persona = "'''\\"
