# Generated from bmad/workflow.yaml. Edit that file, then run bmad2pf.

from pocketflow import AsyncFlow

from ..agents import Analyst, Critic, Editor, Fresh


def build() -> AsyncFlow:
    analyst = Analyst()
    critic = Critic()
    editor = Editor(memory_scope="shared:more", memory_recall=3)
    fresh = Fresh()

    analyst >> critic >> editor >> fresh

    return AsyncFlow(start=analyst)
