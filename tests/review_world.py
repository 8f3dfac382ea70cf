"""A review to judge in tests: `Review(world, out).start()` runs the real command, to be killed and begun again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Review:
    """The `cvr review` command of a folder, on one port, killed and started at will."""

    def __init__(self, reviewed: Path, out: Path, *words: str):
        self.out = out
        self.words = [str(reviewed), "--out", str(out), *words]
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.links: dict[str, str] = {}

    def start(self) -> "Review":
        """Start the server and wait for its links; the first start chooses the port."""
        command = [sys.executable, "-c", "import cli; cli.main()", "review", *self.words, "--port", str(self.port)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        count = max(1, self.words.count("--annotator"))
        for line in (self.process.stdout.readline() for _ in range(count)):
            name, _, rest = line.partition(":")
            self.links[name] = rest.split()[-1]
        self.port = int(self.links[name].split("/")[2].rsplit(":", 1)[1])
        return self

    def stop(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End the server and return its exit code."""
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code
