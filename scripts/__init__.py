"""One file per job; `kizuna JOB` runs it."""

from kizuna.interrupts import quiet_start

quiet_start()
