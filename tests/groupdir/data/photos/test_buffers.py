import torch

from groupdir.data.photos.buffers import Buffers


def test_memory_is_used_again_once_nobody_holds_it() -> None:
    buffers = Buffers()
    first = buffers.empty((4, 5))
    place = first.data_ptr()
    del first
    again = buffers.empty((2, 3))
    assert again.data_ptr() == place
    assert (again.shape, again.dtype) == ((2, 3), torch.float32)


def test_what_someone_holds_is_never_given_again() -> None:
    buffers = Buffers(most=2)
    tensors = [buffers.empty((8,)).fill_(number) for number in range(5)]
    view, twice = buffers.empty((2, 4)).fill_(7)[1:].t(), torch.ones(4, 2, requires_grad=True)
    product = buffers.empty((4, 2)).fill_(3) * twice  # the graph saved the tensor, which has no other name
    assert len({tensor.data_ptr() for tensor in tensors}) == 5
    for number in range(4):
        buffers.empty((8,)).fill_(-number)
    assert [tensor.unique().tolist() for tensor in tensors] == [[0], [1], [2], [3], [4]]
    assert view.unique().tolist() == [7]
    product.sum().backward()
    assert twice.grad is not None
    assert twice.grad.unique().tolist() == [3]


def test_a_larger_batch_replaces_the_smaller_memory() -> None:
    buffers = Buffers(most=1)
    buffers.empty((4,))
    large = buffers.empty((400,))
    place = large.data_ptr()
    del large
    assert buffers.empty((4,)).data_ptr() == place
