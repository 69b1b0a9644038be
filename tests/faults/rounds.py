"""How much of a campaign to run: `BMAD2PF_FAULT_ROUNDS=10` takes ten times CI's numbers."""

from __future__ import annotations

import os

ROUNDS = int(os.environ.get("BMAD2PF_FAULT_ROUNDS", "1"))
