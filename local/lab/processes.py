"""Starts programs, and stops all of them at the end, after an error, after Ctrl-C and after a signal.

Each program has its own process group. So Ctrl-C in the terminal reaches only this program, which stops the others in
order. Only processes that were started here are stopped; none are searched for by name.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_SECONDS = 5.0
LOG_LINES = 40


class Interrupted(BaseException):
    """A signal asked this program to stop. It is no Exception, so that error handlers do not catch it."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


class Processes:
    """The running programs. A signal during a start is handled after the program is registered."""

    def __init__(self, folder):
        self.folder = folder
        self._running = {}
        self._busy = False
        self._pending = None

    def catch_signals(self):
        """Turns the first signal into Interrupted. Only main programs use this; pytest handles signals itself."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number, _frame):
        if self._busy:
            self._pending = number
        else:
            self._busy = True  # a second signal must not interrupt the stopping
            raise Interrupted(number)

    def start(self, name, command, env=None, cwd=None, stdout=None):
        """Starts `command`. Its output goes to the log of `name`, or to `stdout` if given."""
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
                process.wait(STOP_SECONDS)
                break
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # processes that the program left in its group
        if process.stdout:
            process.stdout.close()

    def stop_all(self):
        """Stops all programs, the last one first. Later signals are ignored."""
        self._busy = True
        for name in reversed(list(self._running)):
            self.stop(name)

    def check(self, name):
        """Raises ProgramFailed if the program has ended."""
        code = self._running[name].poll()
        if code is not None:
            raise ProgramFailed(name, f"{name} ended with code {code}", self.log(name))

    def wait_until(self, name, ready, seconds):
        """Waits until `ready()` is true. Raises ProgramFailed if the program ends or `seconds` pass."""
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
    """A required program has failed. `log` is the end of its log, read before the file is removed."""

    def __init__(self, name, message, log=""):
        super().__init__(message)
        self.name = name
        self.log = "\n".join(f"  {name} │ {line}" for line in log.splitlines()[-LOG_LINES:])
