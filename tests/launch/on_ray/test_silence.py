"""Silent trials: which are told, and when."""

from launch.on_ray.silence import LEAST, Silence


def test_a_silent_trial_is_told_and_again_when_its_silence_has_doubled() -> None:
    now = [0.0]
    silence = Silence(lambda: now[0])
    for trial in (1, 2):
        silence.heard(trial)
    for _ in range(6):
        now[0] += 60
        silence.heard(1, {"hostname": "node-a", "pid": 17})
        silence.heard(2, {"hostname": "node-b", "pid": 18})
    assert not silence.messages()
    now[0] += 599
    silence.heard(2, {"hostname": "node-b", "pid": 18})
    assert not silence.messages(), "ten times the longest epoch have not passed"
    now[0] += 2
    (line,) = silence.messages()
    says = "trial 1 on node-a (process 17) has reported nothing for 0:10:01, and its longest epoch took 0:01:00: "
    assert line.startswith(says)
    assert not silence.messages(), "once"
    now[0] += 700
    assert len(silence.messages()) == 1
    silence.ended(1)
    now[0] += 1e5
    assert all(line.startswith("trial 2 ") for line in silence.messages())


def test_a_trial_may_be_silent_before_its_first_epoch() -> None:
    now = [0.0]
    silence = Silence(lambda: now[0])
    silence.heard(3)
    now[0] = LEAST - 1
    assert not silence.messages()
    now[0] = LEAST + 1
    assert silence.messages()[0].startswith("trial 3 has reported nothing for 0:05:01: its process may be stopped")
