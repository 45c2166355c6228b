"""Search spaces: configurations of a trial with open parameters, and the options of the search."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from groupdir.config.change import put
from groupdir.config.domains import Choice, is_domain, parse_domain
from groupdir.config.metric_fields import unmeasurable
from groupdir.config.parameters import Conditional, Parameter, Space, case_text, copied, value_at
from groupdir.config.paths import expand_paths
from groupdir.config.search import NestedConfig, SearchConfig
from groupdir.config.stage import epochs_of
from groupdir.config.trial import TrialConfig, override
from groupdir.config.validation import explain
from groupdir.config.yamlfile import Document, dotted
from groupdir.config.yamlvalues import Address, check_plain, dump_yaml
from groupdir.errors import ConfigError, Mistake
from groupdir.names import check_name

MOST_CORNERS = 1024


@dataclass(frozen=True)
class StudyConfig:
    """Configuration of a study: its name, search space and search options.

    Attributes:
        name: Name of the study; its folder is `results/<name>`.
        space: Search space.
        search: Options of the search.
        document: File of the study, for messages.
    """

    name: str
    space: Space
    search: SearchConfig
    document: Document = field(repr=False, compare=False)

    @property
    def file(self) -> str:
        """Name of the file of the study."""
        return self.document.name

    def mistake(self, address: str, text: str) -> Mistake:
        """Return a mistake at an address of the file."""
        return self.document.mistake(tuple(address.split(".")), text)

    def to_dict(self) -> dict[str, Any]:
        """Return the content with paths resolved. `from_dict` returns the same study from it."""
        return {**copied(self.document.data), "name": self.name, "search": self.search.model_dump(mode="json")}

    def changed(self, changes: Mapping[str, Any]) -> StudyConfig:
        """Return the study with other values.

        Args:
            changes: New values by dotted address.

        Raises:
            ConfigError: If the new values do not fit.
        """
        content = self.to_dict()
        for address, value in changes.items():
            put(content, address.split("."), copied(value))
        return StudyConfig.from_dict(content, self.file)

    def to_yaml(self) -> str:
        """Return the content as YAML."""
        return dump_yaml(self.to_dict())

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], name: str = "<study>", *, recorded: bool = False) -> StudyConfig:
        """Validate a mapping and return its study.

        Args:
            data: Content of a study.
            name: Name of the content in messages.
            recorded: Whether a search has run with this content, so that the trials at the corners were valid. They are
                not built again, because building hundreds of them takes long.

        Raises:
            ConfigError: If the content has mistakes. The error lists all of them.
        """
        document = Document(name, dict(data), {})
        if mistakes := [document.mistake(at, text) for at, text in check_plain(document.data)]:
            raise ConfigError(mistakes)
        return study_from(document, recorded=recorded)


def load_space(path: str | Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """Read a search space and build its trials at the corners, so that a bad range fails here and not on a worker.

    Args:
        path: YAML file.
        overrides: Strings `address=value`, as in `--set`.

    Raises:
        ConfigError: If the file has mistakes. The error lists all of them with file and line.
    """
    return study_from(override(Document.read(path), overrides))


def study_from(document: Document, *, recorded: bool = False) -> StudyConfig:
    """Validate a parsed file and return its study; see `load_space` and `StudyConfig.from_dict`."""
    data, mistakes = expand_paths(document)
    document = Document(document.name, data, document.lines)
    content = {key: value for key, value in data.items() if key not in ("name", "search")}
    name = data.get("name", Path(document.name).stem)
    try:
        check_name(name)
    except ValueError as error:
        mistakes.append(document.mistake(("name",), str(error)))
    search = SearchConfig()
    try:
        search = SearchConfig.model_validate(data.get("search", {}))
    except ValidationError as error:
        explained = explain(error, SearchConfig, data.get("search", {}))
        mistakes += [document.mistake(("search", *at), text) for at, text in explained]
    space, wrong = _parse(content, document)
    mistakes += wrong
    if not wrong and not recorded:
        mistakes += _check(space, search, document)
    if mistakes:
        raise ConfigError(sorted(dict.fromkeys(mistakes), key=lambda mistake: mistake.line or 0))
    return StudyConfig(str(name), space, search, document)


def _parse(content: Mapping[str, Any], document: Document) -> tuple[Space, list[Mistake]]:
    parameters: dict[str, Parameter] = {}
    mistakes: list[Mistake] = []

    def walk(value: Any, address: Address) -> Any:
        try:
            if isinstance(value, Mapping) and "by" in value and "cases" in value:
                parameters[dotted(address)] = _conditional(value)
                return None
            if is_domain(value):
                parameters[dotted(address)] = parse_domain(value)
                return None
        except ValueError as error:
            mistakes.append(document.mistake(address, str(error)))
            return None
        if isinstance(value, Mapping):
            dots = next((key for key in value if "." in key), None)
            if not address and dots:  # it would be taken for the address of a parameter
                mistakes.append(document.mistake((dots,), "must be nested sections, as in `train: {epochs: 10}`"))
            inner = {key: walk(item, (*address, key)) for key, item in value.items()}
            return {key: item for key, item in inner.items() if dotted((*address, key)) not in parameters}
        return value

    fixed = walk(content, ())
    for address, parameter in parameters.items():
        if isinstance(parameter, Conditional) and (text := _wrong_condition(parameter, fixed, parameters)):
            mistakes.append(document.mistake(tuple(address.split(".")), text))
    ordered = sorted(parameters.items(), key=lambda item: isinstance(item[1], Conditional))
    return Space(fixed, dict(ordered), document), mistakes


def _conditional(value: Mapping[str, Any]) -> Conditional:
    if set(value) != {"by", "cases"} or not isinstance(value["by"], str) or not isinstance(value["cases"], Mapping):
        raise ValueError(
            "must be {by: address of another parameter, cases: {its value: a domain or a value}}, got "
            + repr(dict(value))
        )
    return Conditional(
        value["by"],
        {case_text(case): parse_domain(inner) if is_domain(inner) else inner for case, inner in value["cases"].items()},
    )


def _wrong_condition(
    parameter: Conditional, fixed: Mapping[str, Any], parameters: Mapping[str, Parameter]
) -> str | None:
    decider = parameters.get(parameter.by)
    if decider is None:
        value = value_at(fixed, parameter.by.split("."))
        if value is None:
            return f"depends on {parameter.by}, which is not in the file: add {parameter.by} with a value or a choice"
        values: tuple[Any, ...] = (value,)
    elif isinstance(decider, Choice):
        values = decider.values
    else:
        return f"must depend on a fixed value or a choice, got {parameter.by}, which is {type(decider).__name__}"
    missing = [case_text(value) for value in values if case_text(value) not in parameter.cases]
    return f"has no case for {parameter.by} = {', '.join(missing)}: add it" if missing else None


def _check(space: Space, search: SearchConfig, document: Document) -> list[Mistake]:
    """Return the mistakes of the trials at the corners, and of the ablations of the first corner."""
    mistakes: dict[Mistake, None] = {}
    trials: list[TrialConfig] = []
    for params in space.corners():
        try:
            trial = TrialConfig.from_document(Document(document.name, space.content(params), document.lines))
        except ConfigError as error:
            mistakes |= dict.fromkeys(error.mistakes)
            continue
        trials.append(trial)
        for address, text in unmeasurable(search.metrics, trial.method).items():
            mistakes[document.mistake(tuple(address.split(".")), text)] = None
    mistakes |= dict.fromkeys(_wrong_seeds(space, search, document))
    if not mistakes:
        mistakes |= dict.fromkeys(_equal_choices(space, document))
    if search.nested is not None:
        mistakes |= dict.fromkeys(_wrong_nested(space, search.nested, document))
    last = search.scheduler.last_epoch
    longest = max((epochs_of(trial.stages) for trial in trials), default=0)
    if last is not None and last < longest:
        text = f"must be at least {longest}, the epochs of predicting stages, or no trial would finish, got {last}: "
        mistakes[document.mistake(("search", "scheduler", "max_t"), text + "set train.epochs instead")] = None
    if mistakes:
        return list(mistakes)
    space.keep_corners(trials)
    for label, changes in search.ablations.items():
        try:
            trials[0].replaced(changes)
        except ConfigError as error:
            for mistake in error.mistakes:
                at = ("search", "ablations", label)
                mistakes[document.mistake(at, f"{mistake.address}: {mistake.message}")] = None
    return list(mistakes)


def _equal_choices(space: Space, document: Document) -> list[Mistake]:
    """Return a mistake for each choice of which two values give the same trial, such as 1 and "1"."""
    mistakes = []
    for name, domain in space.parameters.items():
        if not isinstance(domain, Choice):
            continue
        corner = next((params for params in space.corners() if name in params), None)
        trials: dict[str, Any] = {}
        for value in domain.values if corner is not None else ():
            chosen = {**(corner or {}), name: value}
            params = space.suggest(lambda at, inner, chosen=chosen: chosen.get(at, inner.ends[0]))  # type: ignore[misc]
            same = trials.setdefault(space.build(params).digest, value)
            if same is not value:
                text = f"choice holds {json.dumps(same)} and {json.dumps(value)}, which give the same trial: remove one"
                mistakes.append(document.mistake(tuple(name.partition("|")[0].split(".")), text))
                break
    return mistakes


def _wrong_seeds(space: Space, search: SearchConfig, document: Document) -> list[Mistake]:
    """Return the mistakes of the seeds: an open seed that each trial would replace, or a seed of the first stage."""
    mistakes = []
    if "seed" in space.open and search.seeds == "own":
        text = "must be shared if `seed` is an open parameter, got own: set it to shared, or leave out `seed`"
        mistakes.append(document.mistake(("search", "seeds"), text))
    if "stage_seed" in space.open or space.fixed.get("stage_seed") is not None:
        mistakes.append(document.mistake(("stage_seed",), "is chosen by the search: remove it from the file"))
    return mistakes


def _wrong_nested(space: Space, nested: NestedConfig, document: Document) -> list[Mistake]:
    """Return the mistakes of a nested search.

    An outer parameter is not open, or depends on an inner parameter; or no inner parameter remains.
    """
    at = ("search", "nested", "outer")
    mistakes = []
    for address in nested.outer:
        parameter = space.open.get(address)
        if parameter is None:
            known = ", ".join(space.open) or "none"
            mistakes.append(document.mistake(at, f"must name open parameters ({known}), got {address}"))
        elif isinstance(parameter, Conditional) and parameter.by in space.open and parameter.by not in nested.outer:
            mistakes.append(document.mistake(at, f"{address} depends on {parameter.by}, which must be outer too"))
    if not mistakes and set(space.open) <= set(nested.outer):
        text = "must leave some open parameters for the inner level, but names all of them: remove some"
        mistakes.append(document.mistake(at, text))
    return mistakes
