"""Kizuna: people who do not trust each other train one model together and are paid for it."""

__version__ = "0.1.0"
