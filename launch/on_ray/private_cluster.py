"""Private names of Ray about the file of a cluster, each in one function; see private.py."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def cluster_schema() -> dict[str, Any]:
    """Return the JSON Schema of a cluster's file. Ray itself checks a file only when it starts machines."""
    import ray.autoscaler

    schema = (Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text(encoding="utf-8")
    return dict(json.loads(schema))


def with_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cluster's file with Ray's defaults filled in, as `ray up` does. Only `ray up` is public."""
    from ray.autoscaler._private.util import prepare_config

    with _silence():  # Ray warns about every file among the mounts, and `ray up` warns again
        return dict(prepare_config(copy.deepcopy(dict(content))))


def cluster_mistake(content: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the field and the message of Ray's complaint about a complete file, or None if Ray accepts the file.

    Ray names the field only in an English text. The field is "" if the text names none.
    """
    from ray.autoscaler._private.util import validate_config

    try:
        validate_config(dict(content))
    except ValueError as error:
        text = str(error)
        return next((name for name in ("head_node_type", "max_workers") if f"`{name}`" in text), ""), text
    return None


def record_head(provider: Mapping[str, Any], cluster: str) -> None:
    """Write the file by which Ray remembers that an on-premise cluster has been started.

    The only public way is `ray up`, which would start the cluster a second time.
    """
    from ray.autoscaler._private.local.node_provider import LocalNodeProvider, record_local_head_state_if_needed

    with _silence():  # Ray reports each write
        record_local_head_state_if_needed(LocalNodeProvider(dict(provider), cluster))  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
