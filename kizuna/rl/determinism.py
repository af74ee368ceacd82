"""The settings under which two machines of one numerics class compute the same bits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

THREADS = 1


@contextmanager
def deterministic() -> Iterator[None]:
    """Deterministic kernels and one thread inside; the caller's settings are restored.

    The thread count is part of the class: the split of a sum over threads changes its bits.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # has to be there before the first CUDA product
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict)
        torch.set_num_threads(threads)
