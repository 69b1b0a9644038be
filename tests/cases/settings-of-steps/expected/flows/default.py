# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import A
from ..runtime.budget import Budget


def build() -> AsyncFlow:
    a = A(
        memory_scope="isolated",
        memory_recall=0,
        model="anthropic:claude",
        fallback="mock",
        temperature=0,
        max_tokens=10,
        timeout=1.5,
        retries=1,
        budget=Budget(tokens=1000, cost_usd=0.05),
    )
    b = A(id="b", memory_scope="shared:x", budget=Budget(cost_usd=1))

    a >> b

    return AsyncFlow(start=a)
