"""Spark's master URLs: which there are, and whether driver and workers share one machine and one JVM.

Reads the text of `resources: master`, returns a Master or what is wrong with it. May touch: nothing. The forms are
Spark 4.3's (org.apache.spark.SparkMasterRegex): local, local[k], local[k,r], local-cluster[n,c,m], spark://host:port
(several hosts by commas), yarn, k8s://host:port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Master", "MasterKind", "is_local_master", "read_master"]


class MasterKind(StrEnum):
    LOCAL = "local"
    LOCAL_CLUSTER = "local-cluster"
    STANDALONE = "standalone"
    YARN = "yarn"
    KUBERNETES = "kubernetes"


@dataclass(frozen=True)
class Master:
    """nodes, cores: where the URL itself says them, else None. hosts: of a standalone master or a k8s API server."""

    url: str
    kind: MasterKind
    nodes: int | None = None
    cores: int | None = None
    hosts: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Tasks run in the driver's own JVM."""
        return self.kind is MasterKind.LOCAL

    @property
    def on_loopback(self) -> bool:
        """Every worker can only be on this machine."""
        own = self.kind in (MasterKind.LOCAL, MasterKind.LOCAL_CLUSTER)
        return own or (bool(self.hosts) and all(_LOOPBACK.fullmatch(host) for host in self.hosts))


_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]")
_LOCAL = re.compile(r"local(?:\[\s*(\d+|\*)\s*(?:,\s*(\d+)\s*)?\])?")
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]")
_HOST = r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)"
_STANDALONE = re.compile(rf"spark://({_HOST}:\d+(?:,{_HOST}:\d+)*)")
_KUBERNETES = re.compile(rf"k8s://(?:https?://)?({_HOST}(?::\d+)?)(?:/.*)?")
_FORMS = "local[2], spark://host:7077, yarn or k8s://https://host:6443"


def read_master(url: str) -> Master | str:
    """The master, or one sentence saying why Spark would not know it."""
    for known in (_local, _local_cluster, _standalone, _kubernetes):
        found = known(url)
        if found is not None:
            return found
    if url == "yarn":
        return Master(url, MasterKind.YARN)
    if url.startswith("spark://"):
        return "a standalone master is spark://host:port"
    if url.startswith(("local[", "local-cluster")):
        return "a local master is local, local[2], local[*] or local[2,3]"
    return f"Spark knows {_FORMS}"


def is_local_master(url: str) -> bool:
    """Whether driver and workers share one JVM. `local` without more, and our `local[k,r]`, are; a cluster is not."""
    return _LOCAL.fullmatch(url) is not None


def _local(url: str) -> Master | None:
    match = _LOCAL.fullmatch(url)
    if match is None or match.group(1) == "0" or match.group(2) == "0":
        return None
    cores = {None: 1, "*": None}[match.group(1)] if match.group(1) in (None, "*") else int(match.group(1))
    return Master(url, MasterKind.LOCAL, 1, cores)


def _local_cluster(url: str) -> Master | None:
    match = _LOCAL_CLUSTER.fullmatch(url)
    if match is None or "0" in match.groups():
        return None
    return Master(url, MasterKind.LOCAL_CLUSTER, int(match.group(1)), int(match.group(2)))


def _standalone(url: str) -> Master | None:
    match = _STANDALONE.fullmatch(url)
    if match is None:
        return None
    hosts = [place.rpartition(":") for place in match.group(1).split(",")]
    if not all(0 < int(port) < 65_536 for _, _, port in hosts):
        return None
    return Master(url, MasterKind.STANDALONE, hosts=tuple(host for host, _, _ in hosts))


def _kubernetes(url: str) -> Master | None:
    match = _KUBERNETES.fullmatch(url)
    if match is None:
        return None
    host = re.sub(r":\d+$", "", match.group(1))
    return Master(url, MasterKind.KUBERNETES, hosts=(host,))
