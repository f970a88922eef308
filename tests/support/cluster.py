"""Real Slurm with one node on loopback; its GPU is only a character device.

Needs root and the Debian packages `slurm-wlm` and `munge`. The programs of Slurm read their configuration from
/etc/slurm, so the files are written there; the previous content is restored at the end.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import stop

CONFIGURATION = Path("/etc/slurm")
GPU = Path("/dev/ctseg-test-gpu")
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")

# No accounting, no cgroups and only loopback addresses, so that it runs in a container or on a laptop. Without cgroups,
# the gatherer of accounting data kills steps that exceed their requested memory.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=200000
JobRequeue=1
KillWait=5
MinJobAge=600
TaskProlog={folder}/task_prolog
ReturnToService=2
MpiDefault=none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mib} Gres=gpu:1
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""
# Runs before each task and records the GPUs in its environment.
TASK_PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_ID ${{CUDA_VISIBLE_DEVICES-none}}" >> {folder}/devices.txt
"""
GRES_CONF = "NodeName={host} Name=gpu File={gpu}\n"


def run(*command: str) -> str:
    """Standard output of a command. Raises CalledProcessError if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def missing() -> list[str]:
    """Names of missing requirements (programs, root rights)."""
    lacking = [program for program in NEEDED if shutil.which(program) is None]
    return lacking + ([] if os.geteuid() == 0 else ["the rights of root"])


def configure(folder: Path) -> None:
    """Write the configuration of Slurm for this machine, and create the device used as GPU."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - 256
    known = {"folder": folder, "host": host, "cpus": os.cpu_count(), "memory_mib": memory_mib, "gpu": GPU}
    CONFIGURATION.mkdir(exist_ok=True)
    (CONFIGURATION / "slurm.conf").write_text(SLURM_CONF.format(**known))
    (CONFIGURATION / "gres.conf").write_text(GRES_CONF.format(**known))
    prolog = folder / "task_prolog"
    prolog.write_text(TASK_PROLOG.format(**known))
    prolog.chmod(0o755)
    if not GPU.exists():
        os.mknod(GPU, 0o20666, os.makedev(1, 3))  # the device of /dev/null under another name


def start(folder: Path, *command: str, user: str = "root") -> subprocess.Popen[bytes]:
    """Start a daemon; its output goes to NAME.out in `folder`."""
    with (folder / f"{command[0]}.out").open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, user=user, group=user, extra_groups=[])


def wait_until_idle(seconds: float = 60) -> None:
    """Wait until the node accepts jobs. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        answer = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, check=False)
        if set(answer.stdout.split()) == {"idle"}:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"Slurm did not start: {answer.stdout}{answer.stderr}")
        time.sleep(0.5)


@contextmanager
def slurm(folder: Path) -> Iterator[None]:
    """Running Slurm with its state in `folder`; at the end all started processes are stopped."""
    kept = folder / "before"
    if CONFIGURATION.exists():
        shutil.copytree(CONFIGURATION, kept)
    started: list[subprocess.Popen[bytes]] = []
    try:
        configure(folder)
        socket_path = Path("/run/munge/munge.socket.2")
        if not socket_path.exists():
            for path in ("/run/munge", "/var/log/munge", "/var/lib/munge"):
                Path(path).mkdir(exist_ok=True)
                shutil.chown(path, "munge", "munge")
            started.append(start(folder, "munged", "--foreground", user="munge"))
        started += [start(folder, "slurmctld", "-D", "-i"), start(folder, "slurmd", "-D")]
        wait_until_idle()
        yield
    finally:
        subprocess.run(["scancel", "--user=root"], check=False, capture_output=True)
        for process in reversed(started):
            stop(process)
        GPU.unlink(missing_ok=True)
        shutil.rmtree(CONFIGURATION, ignore_errors=True)
        if kept.exists():
            shutil.copytree(kept, CONFIGURATION)
