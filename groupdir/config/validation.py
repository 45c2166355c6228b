"""Messages for pydantic's errors: where, the rule that must hold, the value found, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails

from groupdir.config.domains import misspelt_domain
from groupdir.config.fields import model_at
from groupdir.config.yamlvalues import Address, shortened
from groupdir.errors import FieldError
from groupdir.registry import did_you_mean

_RULES = {
    "greater_than": "must be > {gt}",
    "greater_than_equal": "must be >= {ge}",
    "less_than": "must be < {lt}",
    "less_than_equal": "must be <= {le}",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "literal_error": "must be one of {expected}",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must have entries, at least {min_length}",
    "too_long": "must have at most {max_length} entries",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "int_parsing_size": "must be a smaller whole number",
    "is_instance_of": "must be options of {class}",
    "model_attributes_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "iterable_type": "must be a list",
    "string_pattern_mismatch": "must match {pattern}",
}


def explain(error: ValidationError, model: type[BaseModel], data: Any) -> Iterator[tuple[Address, str]]:
    """Yield the address and the message of every mistake in a validation error.

    Args:
        error: Error that pydantic raised.
        model: Model that was validated; unknown keys are compared with its fields.
        data: Content that was validated.
    """
    for item in error.errors():
        kind, context, value = item["type"], item.get("ctx", {}), item["input"]
        place = item["loc"]
        unknown = place[-1:] if kind == "extra_forbidden" else ()  # such a key may look like a mark of pydantic
        address = (*(part for part in place[: len(place) - len(unknown)] if not _is_union_tag(part)), *unknown)
        named = {address[-1]: value} if kind == "extra_forbidden" and isinstance(value, list) else value
        if hint := misspelt_domain(named):
            yield address, hint
        elif kind == "missing":
            yield address, "is required but missing: add it"
        elif kind == "extra_forbidden":
            owner = model_at(model, data, address[:-1])
            yield address, f"unknown key: {did_you_mean(str(address[-1]), owner.model_fields if owner else [])}"
        elif kind == "value_error":
            cause = context["error"]
            yield (*address, *(cause.address if isinstance(cause, FieldError) else ())), str(cause)
        elif kind in _RULES:
            yield address, f"{_RULES[kind].format(**context)}, got {shortened(value)}"
        else:
            yield address, f"{item['msg'][0].lower()}{item['msg'][1:]}, got {shortened(value)}"


def raise_at(title: str, mistakes: Mapping[Address, tuple[str, Any]]) -> None:
    """Raise the mistakes inside a value that one validator checks as a whole. Without mistakes, return.

    Args:
        title: Name of the value.
        mistakes: Message and wrong part by address inside the value.

    Raises:
        ValidationError: If there are mistakes. The error has the address of each.
    """
    if mistakes:
        details = [
            InitErrorDetails(type="value_error", loc=address, input=part, ctx={"error": ValueError(text)})
            for address, (text, part) in mistakes.items()
        ]
        raise ValidationError.from_exception_data(title, details)


def _is_union_tag(part: str | int) -> bool:
    """Return whether pydantic added a part to an address to tell members of a union apart."""
    return isinstance(part, str) and ("[" in part or part in {"int", "float", "str", "bool", "none"})
