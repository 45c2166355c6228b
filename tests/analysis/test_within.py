import pytest

from analysis.within import parse_tolerance, parse_tolerances, tolerances_text


@pytest.mark.parametrize(
    ("text", "share"),
    [("a=2%", 0.02), ("a = 2 %", 0.02), ("a=.5", 0.5), ("a=0", 0.0), ("a=1", 1.0), ("a=150%", 1.5), ("a=1e-2", 0.01)],
)
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: float) -> None:
    assert parse_tolerance(text) == ("a", pytest.approx(share))


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "=2%", "a=x", "a=-1%", "a=nan", "a=inf%", "a=2", "a=1e999%", "a=%", "a=2%%", "a=1_0%"]
)
def test_another_text_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be METRIC=SHARE with a share such as 2% or 0\.02, got ") as error:
        parse_tolerance(text)
    assert repr(text) in str(error.value)


def test_several_tolerances_keep_their_order_and_no_metric_has_two() -> None:
    tolerances = parse_tolerances(["b=2%", "a=0.1"])
    assert list(tolerances) == ["b", "a"]
    assert tolerances_text(tolerances) == "b within 2 % of the best and a within 10 % of the best"
    with pytest.raises(ValueError, match="must name each metric once, got a twice"):
        parse_tolerances(["a=2%", "a=3%"])
