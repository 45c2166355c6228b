"""The file of a cluster, as Ray's launcher takes it; mistakes in it are named before a machine is touched."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError, Mistake
from groupdir.registry import did_you_mean
from launch.on_ray import private

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]

LOCAL = {
    "provider.head_ip": "the address of the machine that leads",
    "provider.worker_ips": "the addresses of the other machines",
    "auth.ssh_user": "who logs in to the machines",
}
KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "a yes/no",
}


@dataclass(frozen=True)
class ClusterFile:
    """A cluster.

    Attributes:
        path: Its file.
        content: What stands in it.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> ClusterFile:
        """Reads a file and holds it against Ray's schema and defaults. Nothing is asked of a network.

        Raises:
            ConfigError: With every mistake.
        """
        document = Document.read(path)
        mistakes = list(_mistakes(document))
        if mistakes:
            raise ConfigError(mistakes)
        return cls(Path(path), document.data)

    @property
    def is_local(self) -> bool:
        """Whether it is made of machines that are there already."""
        return bool(self.content["provider"]["type"] == "local")

    @property
    def workers(self) -> list[str]:
        """Addresses of the workers of a local cluster; none of a cloud's, which come and go."""
        return list(self.content["provider"]["worker_ips"]) if self.is_local else []

    def login(self, address: str, head: bool = False) -> list[str]:
        """The words of `ssh` to a machine of a local cluster, by way of the head where that has an address for us.

        Args:
            address: The machine's.
            head: Whether it is the head itself.
        """
        provider, auth = self.content["provider"], self.content["auth"]
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "ConnectTimeout=10", "-o", "BatchMode=yes"]
        if key := auth.get("ssh_private_key"):
            options += ["-i", str(Path(key).expanduser())]
        outside = provider.get("external_head_ip")
        if head and outside:
            address = outside
        elif outside:
            through = shlex.join(["ssh", *options, "-W", "%h:%p", f"{auth['ssh_user']}@{outside}"])  # a shell reads it
            options += ["-o", f"ProxyCommand={through}"]
        elif proxy := auth.get("ssh_proxy_command"):
            options += ["-o", f"ProxyCommand={proxy}"]
        return ["ssh", *options, f"{auth['ssh_user']}@{address}"]


def _mistakes(document: Document) -> Iterator[Mistake]:
    """What Ray would refuse, and where it stands: first fields and types, then what fits together."""
    provider = document.data.get("provider")
    if not isinstance(provider, dict) or "type" not in provider:
        yield document.mistake(("provider", "type"), "must say whose the machines are: local, aws, gcp or azure")
        return
    found = [*_schema(document, document.data, parts=True), *_mounts(document)]
    if provider["type"] == "local":
        found += _local(document)
    yield from found or _whole(document)


def _schema(document: Document, content: Mapping[str, Any], parts: bool) -> Iterator[Mistake]:
    """What Ray's schema finds.

    Args:
        document: Where it stands.
        content: What is checked.
        parts: Whether defaults are still to come, so that nothing of the top level is missing yet.
    """
    import jsonschema  # type: ignore[import-untyped]

    for error in jsonschema.Draft7Validator(private.cluster_schema()).iter_errors(content):
        if not (parts and error.validator == "required" and not error.absolute_path):
            for address, text in _explained(error):
                yield document.mistake(address, text)


def _explained(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """An address and a text for each thing that a finding of the schema is about."""
    at = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for name in sorted(set(error.instance) - set(known)):
            yield (*at, name), f"unknown field: {did_you_mean(name, known)}"
    elif error.validator == "required":
        for name in sorted(set(error.validator_value) - set(error.instance)):
            yield (*at, name), "must be there, and is missing"
    elif error.validator == "type":
        yield at, f"must be {KINDS.get(error.validator_value, error.validator_value)}, got {error.instance!r}"
    else:
        yield at, error.message


def _local(document: Document) -> Iterator[Mistake]:
    """What a cluster of one's own machines needs, and must not have."""
    for name, meaning in LOCAL.items():
        section, field = name.split(".")
        if not (document.data.get(section) or {}).get(field):
            yield document.mistake((section, field), f"must be {meaning}, and is missing")
    for name in ("available_node_types", "head_node", "worker_nodes"):
        if name in document.data:
            yield document.mistake((name,), "is not for machines of one's own, which are all of one type: leave it out")


def _mounts(document: Document) -> Iterator[Mistake]:
    """Files that are to be copied and are not there: their paths count from where the command runs."""
    mounts = document.data.get("file_mounts")
    for remote, local in (mounts if isinstance(mounts, dict) else {}).items():
        if not Path(str(local)).expanduser().exists():
            text = f"must be a file or folder here, but {Path.cwd()} has no {local}: run this in the checkout"
            yield document.mistake(("file_mounts", remote), text)


def _whole(document: Document) -> Iterator[Mistake]:
    """What shows once Ray has put its defaults in."""
    full = private.with_defaults(document.data)
    mistakes = list(_schema(document, full, parts=False))
    yield from mistakes
    if not mistakes and (refused := private.cluster_mistake(full)):
        field, text = refused
        yield document.mistake((field,) if field else (), text)
