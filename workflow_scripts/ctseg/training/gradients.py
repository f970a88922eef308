"""Gradients of a training step, computed on a GPU as one recorded whole (a CUDA graph).

Started one by one from Python, the operations of a step take longer than the GPU needs for them: on an H200, a step of
a dynunet with 32…320 features and 2 × 80×96×96 voxels took 25 to 40 ms, of which the GPU computed 18 ms. A CUDA graph
starts them all at once; they are the same operations, so the result is the same to the bit.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import nn

from ctseg.training.gpu_batches import Batch

logger = logging.getLogger(__name__)

# Steps before recording: in the first ones libraries choose algorithms and reserve memory, which cannot be recorded.
UNRECORDED_STEPS = 3

Work = Callable[[], None]
Record = Callable[[Work], Work]  # from work on fixed tensors to a function that does this work again


def as_cuda_graph(work: Work) -> Work:
    """Record the operations of `work` on the current GPU, without computing anything; see `Record`."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        # Another thread may make the next batch at the same time, so only this thread is restricted.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    finally:
        torch.cuda.set_stream(stream)  # which torch leaves out after an error
    return graph.replay


class Gradients:
    """Function from the batches of a step to its mean loss, which also sets the gradients of the network.

    With `record` the work is recorded after some steps, until `forget`. All batches must then have the same shapes.
    """

    def __init__(
        self,
        forward: Callable[[torch.Tensor], torch.Tensor | list[torch.Tensor]],
        loss: nn.Module,
        parameters: Sequence[nn.Parameter],
        scaler: torch.GradScaler,
        autocast: torch.dtype | None,
        record: Record | None,
    ) -> None:
        """`forward` maps images to logits, `loss` compares these with targets; `autocast` is a lower precision."""
        self.forward, self.loss, self.parameters = forward, loss, parameters
        self.scaler, self.autocast, self.record = scaler, autocast, record
        self._recorded: Recorded | None = None
        self._unrecorded = 0

    def __call__(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Mean loss of the batches, without a wait for the device."""
        if self.record and not self._recorded and self._unrecorded >= UNRECORDED_STEPS:
            self._recorded = self._recording(self.record, batches)
        if self._recorded:
            return self._recorded(batches)
        self._unrecorded += 1
        self._clear()
        return self._compute(batches)

    def forget(self) -> None:
        """Release the memory of the recorded work and of the gradients; later steps are recorded again."""
        self._recorded, self._unrecorded = None, 0
        self._clear()

    def backward(self, images: torch.Tensor, targets: torch.Tensor, count: int) -> torch.Tensor:
        """Add the gradient of a batch, one of `count` in the step; return its loss."""
        device = images.device.type
        with torch.autocast(device, self.autocast) if self.autocast else nullcontext():
            logits = self.forward(images)
        loss = self.loss(logits, targets)
        self.scaler.scale(loss / count).backward()
        return loss.detach()

    def _compute(self, batches: Sequence[Batch]) -> torch.Tensor:
        losses = [self.backward(images, targets, len(batches)) for images, targets in batches]
        return torch.stack(losses).mean()

    def _clear(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def _recording(self, record: Record, batches: Sequence[Batch]) -> "Recorded | None":
        """Recorded work for batches like these; None, with a warning, if an operation cannot be recorded."""
        self._clear()  # so that the recorded gradients are new ones, not added to those of the last step
        try:
            return Recorded(self._compute, batches, record)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            logger.warning("the steps cannot be recorded as a CUDA graph (%s), so they take longer", reason)
            self.record = None
            return None


class Recorded:
    """Recorded `compute`; the tensors of its batches, its gradients and its loss stay at the same place in memory."""

    def __init__(
        self, compute: Callable[[Sequence[Batch]], torch.Tensor], batches: Sequence[Batch], record: Record
    ) -> None:
        """Record the work for batches with the shapes of these."""
        self._batches = [(images.clone(), targets.clone()) for images, targets in batches]
        self._loss = torch.empty(())

        def work() -> None:
            self._loss = compute(self._batches)

        self._again = record(work)

    def __call__(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Do the work for these batches; return the loss."""
        for own, new in zip(self._batches, batches, strict=True):
            for to, values in zip(own, new, strict=True):
                to.copy_(values)
        self._again()
        return self._loss.clone()
