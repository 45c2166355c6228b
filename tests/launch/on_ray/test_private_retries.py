"""Retries of a trial of Ray: only after an error that may not come again."""

import pytest
from ray import tune
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, RayTaskError
from ray.tune.experiment import Trial

from groupdir.errors import ConfigError, DeviceMemoryError, MethodError
from launch.on_ray import private


@pytest.mark.parametrize(
    ("error", "is_retried"),
    [
        (MethodError("epoch 3: loss nan is not finite"), False),
        (ConfigError("views must be 1"), False),
        (ValueError("Expected more than 1 value per channel"), False),
        (OSError("stale"), True),
        (RuntimeError("CUDA error"), True),
        (DeviceMemoryError("too large"), True),
    ],
)
def test_only_what_may_end_otherwise_is_retried(
    error: Exception, is_retried: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "local_path", None)
    tune.register_trainable("private_test", tune.Trainable)
    trial = Trial("private_test", stub=True, config={"trial": 0}, max_failures=2)
    private.retry_with_reason(trial)
    trial.handle_error(RayTaskError("step", "a traceback", error))
    assert private.will_retry(trial) is is_retried, "Ray counts failures elsewhere"
    assert trial.should_recover() is is_retried  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("error", [ActorDiedError(), ActorUnavailableError("gone", None), NodeDiedError("gone")])
def test_a_killed_process_and_a_lost_node_are_retried(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "local_path", None)
    tune.register_trainable("private_test", tune.Trainable)
    trial = Trial("private_test", stub=True, config={"trial": 0}, max_failures=1)
    private.retry_with_reason(trial)
    trial.handle_error(error)  # type: ignore[arg-type]
    assert private.will_retry(trial)
