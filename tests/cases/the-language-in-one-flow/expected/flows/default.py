# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.
"""From an idea to reviewed stories"""

from pocketflow import AsyncFlow

from ..agents import Analyst, Architect, Dev, Reviewer, Ux, Writer
from ..runtime.gate import Gate
from ..runtime.group import ParallelGroup
from ..runtime.subflow import Subflow
from . import publish


def build() -> AsyncFlow:
    analyst = Analyst(max_visits=3)
    architect_and_ux = ParallelGroup(Architect(max_visits=3), Ux(max_visits=3))
    reviewer = Reviewer(
        requires=("prd",),
        creates="review",
        when='inputs.depth == "full"',
        max_visits=3,
    )
    writer = Writer(max_visits=3)
    sign_off = Gate(
        "sign_off",
        question="May this be published?",
        actions=("approve", "reject"),
        max_visits=3,
    )
    publish_ = Subflow("publish", publish.build, on_missing_doc="error")
    dev_fixes = Dev(id="dev_fixes", for_each=("writer", "stories"), max_items=50)

    analyst >> architect_and_ux >> reviewer
    reviewer - "approve" >> writer
    reviewer - "reject" >> analyst
    reviewer >> writer >> sign_off
    sign_off - "reject" >> analyst
    sign_off >> publish_ >> dev_fixes

    return AsyncFlow(start=analyst)
