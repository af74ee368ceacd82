"""What trainers and verifiers share: a task's rules, contributions, versions, and the shell an agent runs in."""

from __future__ import annotations

import os

# Before torch is imported: waiting OpenMP threads would otherwise spin and starve the other processes of the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
