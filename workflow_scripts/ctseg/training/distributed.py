"""Training of one network in several processes, one per GPU, with torch's launcher and averaged gradients."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch
import torch.distributed as dist

from ctseg.errors import InputError, TrainingError
from ctseg.training.batches import Share
from ctseg.training.train_fold import FoldTask, train_fold

logger = logging.getLogger(__name__)

MESSAGE = "message.txt"


def train_in_processes(task: FoldTask, processes: int) -> None:
    """Train like `train_fold.train_fold`, with each batch divided among `processes` processes on this machine.

    The output of the launcher and of all processes goes to the log. Raises TrainingError with the message of a process
    that failed with an InputError, and RuntimeError if the launcher failed for another reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        description = Path(folder) / "task.json"
        description.write_text(json.dumps(asdict(task)))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        search = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        with subprocess.Popen(
            [*command, "-m", "ctseg.training.distributed", str(description)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": search},
        ) as launcher:
            for line in launcher.stdout or ():
                logger.info("%s", line.rstrip())
        message = Path(folder) / MESSAGE
        if message.exists():
            raise TrainingError(message.read_text())
        if launcher.returncode:
            raise RuntimeError(f"the launcher of {processes} training processes ended with {launcher.returncode}")


def main() -> None:
    """Run one of the processes; the launcher sets its rank in environment variables."""
    description = Path(sys.argv[1])
    task = FoldTask(**json.loads(description.read_text()))
    on_gpu = task.use_gpu and torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo")
    share = Share(dist.get_rank(), dist.get_world_size())
    if on_gpu:
        torch.cuda.set_device(share.rank)
    if share.rank == 0:
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    try:
        train_fold(task, share)
    except InputError as error:
        (description.parent / MESSAGE).write_text(str(error))
        sys.exit(1)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
