"""The training node: joins a task, trains each round from the chain's head, commits, serves, is paid."""

from kizuna.interrupts import quiet_start

quiet_start()
