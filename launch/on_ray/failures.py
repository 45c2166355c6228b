"""Why a trial of Ray's failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ray import cloudpickle
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, RayTaskError

from groupdir.errors import GroupdirError

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


def cause_of(trial: Trial) -> BaseException | None:
    """What a trial's last failure was, as the worker raised it, or None where it has not failed.

    Ray's own `get_pickled_error` reads the copy in the experiment's storage, which comes later.
    """
    path: str | None = trial.pickled_error_file
    if path is None:
        return None
    error: BaseException = cloudpickle.loads(Path(path).read_bytes())
    return (error.cause or error) if isinstance(error, RayTaskError) else error


def lost_with_its_node(error: BaseException | None) -> bool:
    """Whether a trial failed because its machine did: where one vanishes, Ray says that the trial does not answer."""
    if isinstance(error, ActorUnavailableError | NodeDiedError):
        return True
    return isinstance(error, ActorDiedError) and "its node has died" in str(error)


def reason(error: BaseException) -> str:
    """One line that says why a trial failed."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no message"]
    text = lines[0] if isinstance(error, GroupdirError) else f"{type(error).__name__}: {lines[-1]}"
    return text.strip()
