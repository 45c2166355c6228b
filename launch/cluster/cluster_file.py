"""Cluster file for Ray's launcher, checked for mistakes before any machine is touched."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError, Mistake
from groupdir.registry import did_you_mean
from launch.on_ray import private_cluster

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]

LOCAL = {
    "provider.head_ip": "the address of the head machine",
    "provider.worker_ips": "the addresses of the other machines",
    "auth.ssh_user": "the user who logs in to the machines",
}
_WORD = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:%\]-]*")
KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "a yes/no",
}


@dataclass(frozen=True)
class ClusterFile:
    """Cluster file.

    Attributes:
        path: Path of the file.
        content: Content of the file.
    """

    path: Path
    content: Mapping[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> ClusterFile:
        """Read a file and check it against Ray's schema and defaults, without any network.

        Raises:
            ConfigError: If the file has mistakes. The message lists all of them.
        """
        document = Document.read(path)
        mistakes = list(_mistakes(document))
        if mistakes:
            raise ConfigError(mistakes)
        return cls(Path(path), document.data)

    @property
    def is_local(self) -> bool:
        """True if the cluster consists of existing machines."""
        return bool(self.content["provider"]["type"] == "local")

    @property
    def costs(self) -> str:
        """Text that names the machines which cost money until `down`; empty for existing machines."""
        if self.is_local:
            return ""
        kinds = self.content.get("available_node_types", {})
        head = str(self.content.get("head_node_type", ""))
        most = int(self.content.get("max_workers", 0))
        named = [f"{_machine(kind)} ({name})" for name, kind in kinds.items() if name != head and _most(kind)]
        workers = f", and up to {most} workers ({', '.join(named)}) while trials wait" if named and most else ""
        kept = sum(int(kind.get("min_workers", 0)) for name, kind in kinds.items() if name != head)
        always = f" and {kept} workers" if kept else ""
        return f"the head ({_machine(kinds.get(head, {}))}){always} at all times, with disks and addresses{workers}"

    @property
    def workers(self) -> list[str]:
        """Addresses of the workers of a local cluster. A cloud's workers have no fixed addresses."""
        return list(self.content["provider"]["worker_ips"]) if self.is_local else []

    def login(self, address: str, head: bool = False) -> list[str]:
        """Return the `ssh` command to a machine of a local cluster, through the head if that has an external address.

        Args:
            address: Address of the machine.
            head: Whether the machine is the head.
        """
        provider, auth = self.content["provider"], self.content["auth"]
        # A changed host key is refused; the key of a machine that is new to this one is noted in known_hosts.
        options = ["-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"]
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


def _machine(kind: Mapping[str, Any]) -> str:
    """Return a cloud's name of a type of machine. Each provider has another field for it."""
    config = kind.get("node_config", {})
    names = (
        config.get("InstanceType"),
        config.get("machineType"),
        config.get("azure_arm_parameters", {}).get("vmSize"),
    )
    return next((str(name) for name in names if name), "of unknown type")


def _most(kind: Mapping[str, Any]) -> int:
    return int(kind.get("max_workers", 1))


def _mistakes(document: Document) -> Iterator[Mistake]:
    """Yield everything that Ray would refuse: first wrong fields and types, then contradictions."""
    provider = document.data.get("provider")
    if not isinstance(provider, dict) or "type" not in provider:
        yield document.mistake(("provider", "type"), "must name the provider of the machines: local, aws, gcp or azure")
        return
    mistakes = [*_schema(document, document.data, parts=True), *_mounts(document), *_words(document)]
    if provider["type"] == "local":
        mistakes += _local(document)
    yield from mistakes or _whole(document)


def _schema(document: Document, content: Mapping[str, Any], parts: bool) -> Iterator[Mistake]:
    """Yield violations of Ray's schema.

    Args:
        document: File, for the places of mistakes.
        content: Content to check.
        parts: Whether defaults are not filled in yet, so that missing top-level fields are no mistakes.
    """
    import jsonschema  # type: ignore[import-untyped]

    for error in jsonschema.Draft7Validator(private_cluster.cluster_schema()).iter_errors(content):
        if not (parts and error.validator == "required" and not error.absolute_path):
            for address, text in _explained(error):
                yield document.mistake(address, text)


def _explained(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield an address and a text for each field that a violation is about."""
    at = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for name in sorted(set(error.instance) - set(known)):
            yield (*at, name), f"unknown field: {did_you_mean(name, known)}"
    elif error.validator == "required":
        for name in sorted(set(error.validator_value) - set(error.instance)):
            yield (*at, name), "is missing"
    elif error.validator == "type":
        yield at, f"must be {KINDS.get(error.validator_value, error.validator_value)}, got {error.instance!r}"
    else:
        yield at, error.message


def _local(document: Document) -> Iterator[Mistake]:
    """Yield missing and superfluous fields of a cluster of your own machines."""
    for name, meaning in LOCAL.items():
        section, field = name.split(".")
        if not (document.data.get(section) or {}).get(field):
            yield document.mistake((section, field), f"is missing: must be {meaning}")
    for name in ("available_node_types", "head_node", "worker_nodes"):
        if name in document.data:
            yield document.mistake(
                (name,), "is not allowed for machines of your own, which all count as one type: leave it out"
            )


def _words(document: Document) -> Iterator[Mistake]:
    """Yield addresses and users that `ssh` could take for an option, or that are more than one word."""
    for section, fields in (("provider", ("head_ip", "external_head_ip", "worker_ips")), ("auth", ("ssh_user",))):
        content = document.data.get(section)
        if not isinstance(content, dict):
            continue
        for field in fields:
            value = content.get(field)
            for word in value if isinstance(value, list) else [value]:
                if isinstance(word, str) and word and not _WORD.fullmatch(word):
                    text = f"must be one word of letters, digits and _ . : % -, and not start with -, got {word!r}"
                    yield document.mistake((section, field), text)


def _mounts(document: Document) -> Iterator[Mistake]:
    """Yield files to copy that do not exist. Their paths are relative to the current folder."""
    mounts = document.data.get("file_mounts")
    for remote, local in (mounts if isinstance(mounts, dict) else {}).items():
        if not Path(str(local)).expanduser().exists():
            text = f"must be an existing file or folder, but {Path.cwd()} has no {local}: run this in the checkout"
            yield document.mistake(("file_mounts", remote), text)


def _whole(document: Document) -> Iterator[Mistake]:
    """Yield mistakes that appear once Ray has filled in its defaults."""
    full = private_cluster.with_defaults(document.data)
    mistakes = list(_schema(document, full, parts=False))
    yield from mistakes
    if not mistakes and (refused := private_cluster.cluster_mistake(full)):
        field, text = refused
        yield document.mistake((field,) if field else (), text)
