"""Open parameters of a trial: their domains, conditions and order, and the trials that values of them give."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from groupdir.config.change import put
from groupdir.config.domains import Domain
from groupdir.config.stage import Stage
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError

MOST_CORNERS = 1024


@dataclass(frozen=True)
class Conditional:
    """Parameter whose domain depends on the value of another parameter.

    Attributes:
        by: Address of the other parameter.
        cases: Domain, or fixed value, for each value of the other parameter (as text).
    """

    by: str
    cases: Mapping[str, Any]


Parameter = Domain | Conditional


@dataclass(frozen=True)
class Space:
    """Search space of a trial: its fixed content and its open parameters.

    Attributes:
        fixed: Content of the trial without its open parameters.
        open: Domain or condition of each open parameter, by address. A parameter is after the one it depends on.
        document: File of the space, for messages.
    """

    fixed: Mapping[str, Any]
    open: Mapping[str, Parameter]
    document: Document | None = field(default=None, repr=False, compare=False)

    @property
    def parameters(self) -> dict[str, Domain]:
        """Domains by name. The name is the address, or `address|case` for a case of a conditional parameter."""
        domains: dict[str, Domain] = {}
        for address, parameter in self.open.items():
            if isinstance(parameter, Conditional):
                domains |= {f"{address}|{case}": domain for case, domain in parameter.cases.items() if _is_open(domain)}
            else:
                domains[address] = parameter
        return domains

    def suggest(self, draw: Callable[[str, Domain], Any]) -> dict[str, Any]:
        """Return a value for every active parameter, by name.

        Args:
            draw: Function from the name and the domain of a parameter to a value.
        """
        params: dict[str, Any] = {}
        for address, parameter in self.open.items():
            if not isinstance(parameter, Conditional):
                params[address] = draw(address, parameter)
                continue
            case = self._case(parameter, params)
            if _is_open(parameter.cases[case]):
                params[f"{address}|{case}"] = draw(f"{address}|{case}", parameter.cases[case])
        return params

    def build(self, params: Mapping[str, Any]) -> TrialConfig:
        """Build the trial with the given parameters.

        Raises:
            ConfigError: If the trial is invalid, or parameters of this space are missing.
        """
        return TrialConfig.from_dict(self.content(params), self.document.name if self.document else "<space>")

    def content(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the content of the trial with the given parameters, without validating it.

        Raises:
            ConfigError: If parameters of this space are missing.
        """
        content: dict[str, Any] = copied(self.fixed)
        for address, parameter in self.open.items():
            name = address
            if isinstance(parameter, Conditional):
                case = self._case(parameter, params)
                name = f"{address}|{case}"
                if not _is_open(parameter.cases[case]):
                    put(content, address.split("."), parameter.cases[case])
                    continue
            if name not in params:
                raise ConfigError(f"{name}: a value is missing, got parameters {', '.join(params) or 'none'}")
            put(content, address.split("."), copied(params[name]))
        return content

    def corners(self, most: int = MOST_CORNERS) -> Iterator[dict[str, Any]]:
        """Yield parameters at the ends of the domains.

        These are all combinations of ends. If there are more than `most`, each end occurs at least once.
        """
        names = self.parameters
        count = 1
        for domain in names.values():
            count *= len(domain.ends)
        if count <= most:
            seen: set[str] = set()
            for ends in itertools.product(*(domain.ends for domain in names.values())):
                values = dict(zip(names, ends, strict=True))
                params = self.suggest(lambda name, _, values=values: values[name])  # type: ignore[misc]
                if (text := repr(params)) not in seen:
                    seen.add(text)
                    yield params
            return
        for name, domain in names.items():
            for end in domain.ends:
                yield self.suggest(lambda other, inner, name=name, end=end: end if other == name else inner.ends[0])  # type: ignore[misc]

    @cached_property
    def corner_stages(self) -> tuple[tuple[Stage, ...], ...]:
        """Distinct sequences of training stages at the corners."""
        return tuple(dict.fromkeys(config.stages for config in self.corner_trials))

    @cached_property
    def corner_trials(self) -> tuple[TrialConfig, ...]:
        """Trials at the corners."""
        return tuple(self.build(params) for params in self.corners())

    def keep_corners(self, trials: Sequence[TrialConfig]) -> None:
        """Keep trials that were built at the corners as `corner_trials`, because building them takes long.

        Args:
            trials: One for each of `corners()`, as `build` returns it.
        """
        self.__dict__["corner_trials"] = tuple(trials)  # where `cached_property` looks

    def _case(self, parameter: Conditional, params: Mapping[str, Any]) -> str:
        value = params[parameter.by] if parameter.by in params else value_at(self.fixed, parameter.by.split("."))
        return case_text(value)


def _is_open(value: Any) -> bool:
    return isinstance(value, Domain)


def case_text(value: Any) -> str:
    """Return a value as the key of a case, such as `true`."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def value_at(data: Any, address: Sequence[str]) -> Any:
    """Return the value at an address of nested mappings, or None if there is none."""
    for part in address:
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def copied(value: Any) -> Any:
    """Return a copy of nested mappings and lists, as dicts and lists."""
    if isinstance(value, Mapping):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value
