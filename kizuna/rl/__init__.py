"""PRIME-RL: environments, sampling, learning and the checks of both. Nothing here knows chain or store."""
