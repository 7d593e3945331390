"""What the machine offers: cgroup v1 and v2 limits, read from faked files."""

from __future__ import annotations

from pathlib import Path

from vista_nb.executor.probe_machine import cgroup_cores, cgroup_memory, host_memory, machine

GIB = 2**30


def fake(root: Path, **files: str) -> Path:
    """Files below a root; `__` in a name is a slash, and `proc__meminfo` is always there."""
    files = {"proc__meminfo": f"MemTotal:       {16 * 2**20} kB\nMemFree: 1 kB\n"} | files
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("-DOT-", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_no_limit(tmp_path: Path) -> None:
    """Without cgroup files the host counts."""
    root = fake(tmp_path)
    assert host_memory(root) == 16 * GIB
    assert cgroup_memory(root) is None
    facts = machine(root=root)
    assert (facts.memory, facts.source) == (16 * GIB, "host")
    assert facts.cores >= 1
    assert facts.disk_free is not None


def test_version_two_in_a_container(tmp_path: Path) -> None:
    """The own path is the host's and not to be seen: the top of the tree is this container's group."""
    root = fake(
        tmp_path,
        **{
            "proc__self__cgroup": "0::/\n",
            "sys__fs__cgroup__memory-DOT-max": f"{2 * GIB}\n",
            "sys__fs__cgroup__cpu-DOT-max": "150000 100000\n",
        },
    )
    facts = machine(root=root)
    assert (facts.memory, facts.source, facts.cores) == (2 * GIB, "cgroup", 1)
    assert cgroup_cores(root) == 1.5


def test_version_two_takes_the_tightest_parent(tmp_path: Path) -> None:
    """A slice above may be tighter than the own group; `max` is no limit."""
    root = fake(
        tmp_path,
        **{
            "proc__self__cgroup": "0::/user.slice/session.scope\n",
            "sys__fs__cgroup__user-DOT-slice__session-DOT-scope__memory-DOT-max": "max\n",
            "sys__fs__cgroup__user-DOT-slice__memory-DOT-max": f"{3 * GIB}\n",
            "sys__fs__cgroup__user-DOT-slice__session-DOT-scope__cpu-DOT-max": "max 100000\n",
        },
    )
    assert cgroup_memory(root) == 3 * GIB
    assert cgroup_cores(root) is None


def test_version_one(tmp_path: Path) -> None:
    """Separate controllers; a huge number means no limit."""
    root = fake(
        tmp_path,
        **{
            "proc__self__cgroup": "4:memory:/job\n3:cpu,cpuacct:/job\n",
            "sys__fs__cgroup__memory__job__memory-DOT-limit_in_bytes": f"{4 * GIB}\n",
            "sys__fs__cgroup__memory__memory-DOT-limit_in_bytes": "9223372036854771712\n",
            "sys__fs__cgroup__cpu,cpuacct__job__cpu-DOT-cfs_quota_us": "400000\n",
            "sys__fs__cgroup__cpu,cpuacct__job__cpu-DOT-cfs_period_us": "100000\n",
        },
    )
    assert cgroup_memory(root) == 4 * GIB
    assert cgroup_cores(root) == 4.0


def test_a_limit_above_the_host_is_no_limit(tmp_path: Path) -> None:
    """The host's RAM stays the bound, and the source says so."""
    root = fake(tmp_path, **{"proc__self__cgroup": "0::/\n", "sys__fs__cgroup__memory-DOT-max": f"{64 * GIB}\n"})
    facts = machine(root=root)
    assert (facts.memory, facts.source) == (16 * GIB, "host")
