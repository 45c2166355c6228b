"""What Ray's launcher remembers of machines of one's own, brought back where it is lost."""

from __future__ import annotations

from launch.cluster.cluster_file import ClusterFile
from launch.on_ray import private


def remember_head(cluster: ClusterFile) -> None:
    """Lets Ray's commands find the head of a local cluster from a machine that has not made it, or has forgotten.

    Ray writes down in the temporary folder which machines it has started. After a restart of this machine, or on
    another one, it would say that there is no head, and a second `ray up` would end the search that runs there.
    """
    if cluster.is_local:
        private.record_head(cluster.content["provider"], cluster.content["cluster_name"])
