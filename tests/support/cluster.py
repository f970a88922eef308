"""A real Slurm of one node on loopback, with a GPU that is a character device and nothing else.

Needs root and Debian's `slurm-wlm` and `munge`. Slurm's programs look for their configuration in /etc/slurm, so the
files are written there; what stood there comes back at the end.
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

# No accounting, no cgroups and no address but loopback: what a container or a laptop can do. Without cgroups it is the
# gatherer of accounting data that ends a step which takes more memory than it asked for.
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
# Before each task: which GPUs its environment names.
TASK_PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_ID ${{CUDA_VISIBLE_DEVICES-none}}" >> {folder}/devices.txt
"""
GRES_CONF = "NodeName={host} Name=gpu File={gpu}\n"


def run(*command: str) -> str:
    """What a command prints; raises where it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def missing() -> list[str]:
    """What is needed and not there, in words."""
    lacking = [program for program in NEEDED if shutil.which(program) is None]
    return lacking + ([] if os.geteuid() == 0 else ["the rights of root"])


def configure(folder: Path) -> None:
    """Write Slurm's configuration for this machine, and make the device that stands for a GPU."""
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
    """Start a daemon; what it prints goes to a file of its name."""
    with (folder / f"{command[0]}.out").open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, user=user, group=user, extra_groups=[])


def wait_until_idle(seconds: float = 60) -> None:
    """Wait for the node to take jobs."""
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
    """A running Slurm whose state lies in `folder`; everything that was started is stopped at the end."""
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
