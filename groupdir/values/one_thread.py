"""Limit of one thread for linear algebra on small matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")


def one_thread(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with one BLAS thread.

    numpy and scipy each have threads of their own, which wait for work by computing. Where the two take turns on small
    matrices, the waiting threads of one take the cores from the other, and the function takes many times as long.
    """

    @wraps(function)
    def limited(*args: P.args, **options: P.kwargs) -> R:
        with _controller().limit(limits=1, user_api="blas"):
            return function(*args, **options)

    return limited


@cache
def _controller() -> ThreadpoolController:
    """Return the controller of the libraries that are loaded at the first call."""
    return ThreadpoolController()
