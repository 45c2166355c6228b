"""Where a trial trains and where its inputs are: `train.device`, `train.device_share`, and errors without a card."""

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError
from groupdir.training.trainer import Trainer, device_of, run_trial
from tests.gpu.devices import each_device
from tests.groupdir.methods.cases import case_trial


def trial(name: str) -> TrialConfig:
    return case_trial("method-vanilla", train__device=name, train__epochs=1)


@each_device
def test_a_trial_trains_where_its_configuration_says(device: str) -> None:
    trainer = Trainer(trial(device))
    assert trainer.device.type == device
    places = {tensor.device.type for tensor in trainer.method.state_dict().values()}
    training = trainer.training
    places |= {tensor.device.type for tensor in (training.y, training.weight, training.bins, *training.inputs)}
    assert places == {device}
    assert len(list(trainer.epochs())) == 1


@each_device
@pytest.mark.parametrize("visible", [False, True])
def test_auto_is_a_gpu_where_torch_sees_one(visible: bool, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if device == "cpu":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: visible)
        assert device_of(trial("auto")).type == ("cuda" if visible else "cpu")
        return
    assert device_of(trial("auto")).type == "cuda"
    assert next(run_trial(trial("cpu")))._trainer.device.type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_a_gpu_that_torch_does_not_see_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=rf"train.device: {name} asks for a GPU, but torch sees none: set it to auto"):
        Trainer(trial(name))


@each_device
def test_inputs_stay_on_the_host_if_they_exceed_their_share(device: str) -> None:
    """A share of 0 of the card's memory holds nothing; a CPU has no other memory."""
    config = trial(device)
    for share in (0.0, 0.5):
        trainer = Trainer(config.replaced({"train.device_share": share}))
        assert trainer.training.inputs[0].device.type == (device if share else "cpu")
        assert trainer.training.y.device.type == device
        (result,) = trainer.epochs()
        if share == 0:
            streamed = result.metrics
    assert result.metrics == pytest.approx(streamed, rel=1e-6, nan_ok=True)
