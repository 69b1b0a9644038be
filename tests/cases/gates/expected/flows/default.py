# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst
from ..runtime.flow import End
from ..runtime.gate import Gate


def build() -> AsyncFlow:
    start = Gate("start", actions=("approve", "reject"))
    analyst = Analyst(max_visits=2)
    sign_off = Gate(
        "sign-off",
        question='May this be "published"?\nSay why.\n',
        actions=("publish", "again", "stop"),
        when="inputs.careful",
        max_visits=2,
    )
    last = Gate("last", actions=("approve", "reject"), max_visits=1)
    end = End()

    start >> analyst >> sign_off
    sign_off - "again" >> analyst
    sign_off - "stop" >> end
    sign_off >> last
    last - "approve" >> end
    last - "reject" >> end

    return AsyncFlow(start=start)
