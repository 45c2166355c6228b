"""Restore Ray's note of the head of a cluster of your own machines, if this machine has lost it."""

from __future__ import annotations

from launch.cluster.cluster_file import ClusterFile
from launch.on_ray import private_cluster


def remember_head(cluster: ClusterFile) -> None:
    """Let Ray's commands find the head of a local cluster from a machine that has not started it, or lost the note.

    Ray notes in the temporary folder which machines it has started. Without the note, after a restart of this machine
    or on another one, Ray would report no head, and a second `ray up` would end the running search.
    """
    if cluster.is_local:
        private_cluster.record_head(cluster.content["provider"], cluster.content["cluster_name"])
