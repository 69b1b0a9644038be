"""How much of a campaign to run: CI's numbers times `BMAD2PF_FAULT_ROUNDS`, which is 1 unless set.

Every test of this shelf that tries by chance or by load takes its number from here, and so do the
hostile ids of `tests/runtime/test_api_hostile.py`. What goes through all there is takes none.
"""

from __future__ import annotations

import os

ROUNDS = int(os.environ.get("BMAD2PF_FAULT_ROUNDS", "1"))
