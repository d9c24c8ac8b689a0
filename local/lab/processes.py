"""Starts programs and stops every one of them, whatever happens: the end, an error, Ctrl-C, a signal.

Each program gets a process group of its own, so that a Ctrl-C at the terminal reaches only us, and we stop them in
order. Nothing is ever looked up by name: only what was started here is stopped.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 5.0
LOG_LINES = 40


class Interrupted(BaseException):
    """A signal asked us to stop; not an Exception, so that no handler of errors swallows it."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Processes:
    """The programs we started. Signals that come while one is being started wait until it is on the list."""

    def __init__(self, folder):
        self.folder = folder
        self._running = {}
        self._busy = False
        self._pending = None

    def catch_signals(self):
        """Turns the first signal into Interrupted. Only the main program asks for it; pytest has its own way."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number, _frame):
        if self._busy:
            self._pending = number
        else:
            self._busy = True  # a second signal must not cut the stopping short
            raise Interrupted(number)

    def start(self, name, command, env=None, cwd=None, stdout=None):
        """Starts `command`; its output goes to the log of `name`, or to `stdout` where that is given."""
        self._busy = True
        try:
            with self.log_path(name).open("ab") as log:
                process = subprocess.Popen(
                    command,
                    env=env,
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout or log,
                    stderr=log,
                    start_new_session=True,
                )
            self._running[name] = process
        finally:
            self._busy = False
        if self._pending:
            self._on_signal(self._pending, None)
        return process

    def stop(self, name):
        process = self._running.pop(name, None)
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
                break
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what the program may have left in its group
        if process.stdout:
            process.stdout.close()

    def stop_all(self):
        """Stops everything, last started first. Signals are ignored from here on."""
        self._busy = True
        for name in reversed(list(self._running)):
            self.stop(name)

    def check(self, name):
        """Raises when the program has ended by itself."""
        code = self._running[name].poll()
        if code is not None:
            raise ProgramFailed(name, f"{name} ended with code {code}", self.log(name))

    def wait_until(self, name, ready, seconds):
        """Waits until `ready()` is true, while the program lives."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check(name)
            if time.monotonic() > deadline:
                raise ProgramFailed(name, f"{name} was not ready within {seconds:.0f} s", self.log(name))
            time.sleep(0.02)

    def log_path(self, name):
        return Path(self.folder) / f"{name}.log"

    def log(self, name):
        with suppress(FileNotFoundError):
            return self.log_path(name).read_text(encoding="utf-8", errors="replace")
        return ""


class ProgramFailed(Exception):
    """A program that we need has failed; `log` is the end of what it wrote, read before the file is removed."""

    def __init__(self, name, message, log=""):
        super().__init__(message)
        self.name = name
        self.log = "\n".join(f"  {name} │ {line}" for line in log.splitlines()[-LOG_LINES:])
