"""Arrays become tensors without a copy, and a CPU's tensors stay where they are."""

import warnings

import numpy as np
import torch

from groupdir.data.transfer import as_tensor, constant, on_device

CPU = torch.device("cpu")


def test_a_read_only_array_is_shared_and_no_one_is_warned() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = as_tensor(array)
    assert found.data_ptr() == array.ctypes.data


def test_on_a_cpu_nothing_is_copied() -> None:
    given = torch.arange(3)
    assert on_device(given, CPU) is given


def test_a_constant_is_made_once() -> None:
    assert constant((0.5, 0.25), CPU) is constant((0.5, 0.25), CPU)
    assert constant((0.5, 0.25), CPU).tolist() == [0.5, 0.25]
    assert constant(((0, 1), (1, 0)), CPU).dtype == torch.int64
