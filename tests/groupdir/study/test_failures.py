"""Failed trials in words."""

from groupdir.study.failures import LONGEST, SHOWN, failure_lines


def test_messages_that_differ_in_numbers_are_one_group_and_the_largest_comes_first() -> None:
    failed = [(1, "no space left"), *((number, f"epoch {number}: loss 3.5e+07 is nan") for number in range(2, 14))]
    first, second = failure_lines(failed)
    assert first == "12 failed (trials 2, 3, 4, 5, 6, 7, 8, 9 and 4 more): epoch 2: loss 3.5e+07 is nan"
    assert len(range(2, 14)) - SHOWN == 4
    assert second == "1 failed (trial 1): no space left"


def test_a_message_is_one_line_and_not_too_long() -> None:
    assert failure_lines([(0, "a\n  b")]) == ["1 failed (trial 0): a b"]
    assert len(failure_lines([(0, "x" * 1000)])[0]) == len("1 failed (trial 0): ") + LONGEST
    assert failure_lines([]) == []
