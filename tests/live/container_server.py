"""The embedded server in a container's role: its configurations, its engine backend played."""

import shutil
from pathlib import Path

from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.wheel import WheelFiles


class ContainerServer(EmbeddedServer):
    """Reads every `config.pbtxt`, whose engines are of the backend `onnxruntime`."""

    def _command(self, files: WheelFiles, folder: Path) -> list[str]:
        backends = folder / "backends"
        (backends / "onnxruntime").mkdir()
        played = Path(__file__).with_name("onnxruntime_backend.py")
        shutil.copyfile(played, backends / "onnxruntime/model.py")
        # A backend made of a model.py takes the Python backend's library, and from no other folder.
        library = backends / "python/libtriton_python.so"
        library.unlink()
        shutil.copyfile(files.backend / library.name, library)
        command = super()._command(files, folder)
        return [part for part in command if "--model-config-name" not in part]
