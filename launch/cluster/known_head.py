"""What Ray's launcher remembers of machines of one's own, brought back where it is lost."""

from __future__ import annotations

import contextlib
import io

from launch.cluster.cluster_file import ClusterFile


def remember_head(cluster: ClusterFile) -> None:
    """Lets Ray's commands find the head of a local cluster from a machine that has not made it, or has forgotten.

    Ray writes down in the temporary folder which machines it has started. After a restart of this machine, or on
    another one, it would say that there is no head, and a second `ray up` would end the search that runs there.
    """
    if not cluster.is_local:
        return
    from ray.autoscaler._private.local.node_provider import LocalNodeProvider, record_local_head_state_if_needed

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # it tells of each write
        provider = LocalNodeProvider(  # type: ignore[no-untyped-call]
            dict(cluster.content["provider"]), cluster.content["cluster_name"]
        )
        record_local_head_state_if_needed(provider)
