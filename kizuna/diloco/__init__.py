"""OpenDiLoCo: many local steps between exchanges, cut into segments that anyone can run again.

Imports `kizuna.rl` and is never imported by it.
"""
