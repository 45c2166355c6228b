"""Registry of all plug-ins: name -> "module:Class", which is imported only when a trial uses it.

Your own class needs no entry. In the YAML, `name: my_package.my_module:MyClass` refers to it directly.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Literal

from groupdir.errors import ConfigError, described

Kind = Literal[
    "method",
    "regression_loss",
    "group_loss",
    "regularizer",
    "weights",
    "resampling",
    "optimizer",
    "schedule",
    "data",
    "encoder",
    "scheduler",
    "sampler",
]

METHODS = {
    "vanilla": "groupdir.methods.vanilla:Vanilla",
    "vae": "groupdir.methods.vae:VAE",
    "der": "groupdir.methods.der:DER",
    "vir": "groupdir.methods.vir:VIR",
    "group_dir": "groupdir.methods.group_dir:GroupDIR",
}
REGRESSION_LOSSES = {  # `method.loss` of vanilla and vae
    "mse": "groupdir.regression_losses.pointwise:MSE",
    "l1": "groupdir.regression_losses.pointwise:L1",
    "huber": "groupdir.regression_losses.pointwise:Huber",
    "focal": "groupdir.regression_losses.focal:Focal",
    "bmc": "groupdir.regression_losses.balanced:BatchMonteCarlo",
    "gai": "groupdir.regression_losses.balanced:GMMIntegration",
    "bni": "groupdir.regression_losses.balanced:BucketIntegration",
}
GROUP_LOSSES = {  # `method.group_loss` of group_dir
    "soft": "groupdir.group_losses.linear:Soft",
    "ce": "groupdir.group_losses.linear:CE",
    "logit_adjusted": "groupdir.group_losses.linear:LogitAdjusted",
    "nc": "groupdir.group_losses.neural_collapse:NeuralCollapse",
    "do": "groupdir.group_losses.decoupled:Decoupled",
    "rebat": "groupdir.group_losses.weight_average:ReBAT",
}
REGULARIZERS = {  # `method.regularizer` of every method
    "ranksim": "groupdir.regularizers.ranksim:RankSim",
    "conr": "groupdir.regularizers.conr:ConR",
}
WEIGHTS = {  # `method.weights.mode` of every method
    "inverse": "groupdir.weights.inverse:Inverse",
    "sqrt_inverse": "groupdir.weights.inverse:SqrtInverse",
}
RESAMPLERS = {  # `method.resampling` of every method
    "smoter": "groupdir.training.resamplers:SMOTER",
    "smogn": "groupdir.training.resamplers:SMOGN",
}
OPTIMIZERS = {  # `optim`, and `method.pretrain.optim`
    "adam": "groupdir.training.optimizers:Adam",
    "adamw": "groupdir.training.optimizers:AdamW",
    "sgd": "groupdir.training.optimizers:SGD",
}
SCHEDULES = {  # `optim.schedule`, of the learning rate
    "constant": "groupdir.training.schedules:Constant",
    "cosine": "groupdir.training.schedules:Cosine",
    "step": "groupdir.training.schedules:Step",
}
DATASETS = {
    "digits": "groupdir.data.drawn.digits:Digits",
    "faces": "groupdir.data.drawn.faces:Faces",
    "stsb": "groupdir.data.text.stsb:STSB",
    "agedb": "groupdir.data.photos.agedb:AgeDB",
    "imdb_wiki": "groupdir.data.photos.imdb_wiki:IMDBWiki",
    "images": "groupdir.data.own.images:Images",
    "table": "groupdir.data.own.tabular:Tabular",
}
ENCODERS = {
    "convnet": "groupdir.models.convnet:ConvNet",
    "mlp": "groupdir.models.mlp:MLP",
    "bilstm": "groupdir.models.bilstm:BiLSTM",
    "resnet": "groupdir.models.resnet:ResNet",
}
SCHEDULERS = {
    "pareto_asha": "launch.schedulers.pareto_asha:ParetoHalving",
    "asha": "launch.schedulers.asha:ASHA",
    "none": "launch.schedulers.none:NoStopping",
}
SAMPLERS = {
    "tpe": "launch.sampling.optuna_samplers:TPE",
    "gp": "launch.sampling.optuna_samplers:GP",
    "nsga2": "launch.sampling.optuna_samplers:NSGA2",
    "hypervolume": "launch.sampling.hypervolume:Hypervolume",
    "random": "launch.sampling.independent:Random",
    "qmc": "launch.sampling.quasi_random:QMC",
}
TABLES: dict[Kind, dict[str, str]] = {
    "method": METHODS,
    "regression_loss": REGRESSION_LOSSES,
    "group_loss": GROUP_LOSSES,
    "regularizer": REGULARIZERS,
    "weights": WEIGHTS,
    "resampling": RESAMPLERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "data": DATASETS,
    "encoder": ENCODERS,
    "scheduler": SCHEDULERS,
    "sampler": SAMPLERS,
}
PROGRAMS = ("launch.__main__:app", "analysis.__main__:app")
"""Command lines of the other two packages, whose commands `groupdir` offers too."""


NAME_KEYS: dict[Kind, str] = {"weights": "mode"}
"""Option that holds the name of the plug-in, for kinds whose sections do not call it `name`."""

DEFAULT_NAMES: dict[Kind, str] = {
    "optimizer": "adam",
    "weights": "sqrt_inverse",
    "scheduler": "pareto_asha",
    "sampler": "hypervolume",
}
"""Default plug-in of a section without a name. Sections of other kinds must name their plug-in."""

CONFIGS: dict[Kind, str] = {
    "method": "groupdir.config.methods",
    "regression_loss": "groupdir.config.regression_losses",
    "group_loss": "groupdir.config.group_losses",
    "regularizer": "groupdir.config.regularizers",
    "weights": "groupdir.config.weights",
    "resampling": "groupdir.config.resampling",
    "optimizer": "groupdir.config.optimizers",
    "schedule": "groupdir.config.schedules",
    "data": "groupdir.config.datasets",
    "encoder": "groupdir.config.encoders",
    "scheduler": "groupdir.config.schedulers",
    "sampler": "groupdir.config.samplers",
}
"""Module with the options of each kind. The options of a registered class `X` are the class `XConfig`."""


RENAMED = {"table": "benchmark", "levels": "nested", "criterion": "group_loss"}
"""New name of each key of a YAML that has another name now."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the most similar known name, and all known names.

    >>> did_you_mean("vanila", ["vanilla", "group_dir"])
    "did you mean 'vanilla'? Known: group_dir, vanilla"
    """
    names = sorted(known)
    near = [RENAMED[name]] if RENAMED.get(name) in names else difflib.get_close_matches(name[:100], names, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + "Known: " + ", ".join(names)


def resolve(kind: Kind, name: str) -> type:
    """Return the class of a plug-in.

    Args:
        kind: Kind of the plug-in.
        name: Registered name, or "module:Class" for your own class.

    Raises:
        ConfigError: If the name is unknown, its module cannot be imported or raises an error, or the class has no
            `Config` that is a pydantic model.
    """
    module, attribute = _target(kind, name)
    limited = _ONLY_INSTALLED.get() and name not in TABLES[kind]
    try:
        with _without_current_folder() if limited else nullcontext():
            plugin = load(f"{module}:{attribute}")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        remedy = "it must be importable as 'module:Class'"
        if limited:
            remedy += " from an installed package or PYTHONPATH; if you trust its author, add --allow-code"
        raise ConfigError(f"{_words(kind)} {name!r} cannot be loaded: {error}; {remedy}") from error
    except (Exception, SystemExit) as error:  # a module of one's own can raise anything while it is imported
        raise ConfigError(f"{_words(kind)} {name!r} cannot be loaded: {described(error)}") from error
    if not isinstance(plugin, type) or not hasattr(plugin, "Config"):
        raise ConfigError(f"{_words(kind)} {name!r} must be a class with a nested `Config`, got {plugin!r}")
    if not isinstance(plugin.Config, type) or not hasattr(plugin.Config, "model_validate"):
        raise ConfigError(
            f"{_words(kind)} {name!r} must have a `Config` that is a pydantic model, got {plugin.Config!r}"
        )
    return plugin


def resolve_config(kind: Kind, name: str) -> type[Any]:
    """Return the class of the options of a plug-in.

    For a registered name, only the module of the options is imported, not the module of the plug-in.

    Args:
        kind: Kind of the plug-in.
        name: Registered name, or "module:Class" for your own class with a nested `Config`.

    Raises:
        ConfigError: As in `resolve`, or if a registered plug-in has no class of options.
    """
    if name in TABLES[kind]:
        return _registered_config(kind, name)
    config: type[Any] = resolve(kind, name).Config  # type: ignore[attr-defined]
    return config


@cache
def _registered_config(kind: Kind, name: str) -> type[Any]:
    """Return the class of the options of a registered plug-in. A benchmark asks for it hundreds of thousands of times.

    Raises:
        ConfigError: If the plug-in has no class of options.
    """
    module, options = CONFIGS[kind], f"{_target(kind, name)[1]}Config"
    try:
        options_class: type[Any] = getattr(importlib.import_module(module), options)
    except AttributeError as error:
        raise ConfigError(
            f"{_words(kind)} {name!r} must have its options in class {options} of {module}: add this class"
        ) from error
    return options_class


def load(target: str) -> Any:
    """Return the object "module:name". Only this module imports by name.

    Raises:
        ImportError: If the module cannot be imported.
        AttributeError: If the module has no such name.

    >>> load("groupdir.registry:Kind") is Kind
    True
    """
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


_ONLY_INSTALLED: ContextVar[bool] = ContextVar("only installed packages are imported", default=False)


@contextmanager
def only_installed_code(only: bool = True) -> Iterator[None]:
    """Context in which a user's class is not imported from the current folder.

    Use it for a configuration that may come from somebody else. Installed packages and folders in PYTHONPATH remain.

    Args:
        only: Whether this rule holds.
    """
    token = _ONLY_INSTALLED.set(only)
    try:
        yield
    finally:
        _ONLY_INSTALLED.reset(token)


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Context in which Python finds no module in the current folder, unless PYTHONPATH names it.

    `python -m` puts the current folder at the front of the path, where a file can also stand for an installed package.
    """
    before, here = list(sys.path), os.path.realpath(os.curdir)
    named = {os.path.realpath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}
    sys.path[:] = [
        path
        for path in before
        if Path(path).is_absolute() and (os.path.realpath(path) != here or os.path.realpath(path) in named)
    ]
    try:
        yield
    finally:
        sys.path[:] = before


def _words(kind: Kind) -> str:
    """Return the name of a kind for messages."""
    return {"weights": "sample-weight mode", "resampling": "resampler"}.get(kind, kind.replace("_", " "))


def _target(kind: Kind, name: str) -> tuple[str, str]:
    """Return the module and the class of a name."""
    target = TABLES[kind].get(name, name)
    if ":" not in target:
        hint = did_you_mean(name, TABLES[kind])
        raise ConfigError(f"unknown {_words(kind)} {name!r}: {hint}; or name your own class as 'module:Class'")
    module, _, attribute = target.partition(":")
    return module, attribute


def load_from_checkout(checkout: Path, target: str) -> object:
    """Import a package from a checkout without installing it, and return one of its objects.

    In this process the package becomes importable, but no other package of the checkout.

    Args:
        checkout: Folder that holds the package's folder.
        target: "module:attribute", such as an entry of `PROGRAMS`.
    """
    module, _, attribute = target.partition(":")
    package = module.partition(".")[0]
    if package not in sys.modules:
        folder = checkout / package
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[package] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    return getattr(importlib.import_module(module), attribute)
