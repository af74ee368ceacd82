"""The verification node: attests, re-runs what its secret draws, votes, shows evidence, sits on juries, is paid."""

from kizuna.interrupts import quiet_start

quiet_start()
