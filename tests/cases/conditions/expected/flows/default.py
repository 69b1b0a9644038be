# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst, Api, Critic, MyEditor, Ux
from ..runtime.flow import End
from ..runtime.group import ParallelGroup


def build() -> AsyncFlow:
    analyst = Analyst(
        when='story_id in ("S-1", "S-2") or inputs.depth >= 3',
        max_visits=2,
    )
    ux_and_api = ParallelGroup(
        Ux(when='results.critic == "no"', max_visits=2),
        Api(when="not results.ux.plain", max_visits=2),
    )
    my_editor = MyEditor(when='results["analyst"] != null', max_visits=2)
    critic = Critic(when="results[\"my-editor\"] == 'it''s \"done\"'", max_visits=2)
    end = End()

    analyst >> ux_and_api >> my_editor >> critic
    critic - "yes" >> end
    critic - "no" >> analyst
    critic >> end

    return AsyncFlow(start=analyst)
