# Generated from bmad/. Edit the files there, then run bmad2pf.
"""The tools that agents may call."""

TOOLS = ()
