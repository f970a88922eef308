"""Who executes a model. One small interface: `engine(patches) -> probabilities`, see `windows.Network`."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from ctseg.errors import InputError
from ctseg.model import ModelCard, read_card


class OnnxRuntimeEngine:
    """A model file loaded into ONNX Runtime; on the GPU when the installed build has CUDA, else on the CPU."""

    def __init__(self, path: str | Path, threads: int) -> None:
        """Load `path`; the CPU uses `threads` cores. Raises InputError when it is missing or no ctseg model."""
        if not Path(path).is_file():
            raise InputError(f"the model {path} does not exist")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        # Without spinning, idle threads leave the cores to the job beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in ort.get_available_providers()]
        try:
            self._session = ort.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own exception types share no public base class
            raise InputError(f"{path} cannot be loaded as an ONNX model: {str(error).splitlines()[0]}") from None
        self.card: ModelCard = read_card(path, self._session.get_modelmeta().custom_metadata_map)
        self.name = f"onnxruntime {ort.__version__} {self._session.get_providers()[0]}"

    def __call__(self, patches: np.ndarray) -> np.ndarray:
        """Probabilities [batch, class, z, y, x] of float32 HU patches [batch, 1, z, y, x]."""
        return self._session.run(None, {"hu": patches})[0]
