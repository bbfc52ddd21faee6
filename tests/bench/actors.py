"""Processes that send, answer and count in a namespace while something else is measured."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any

from nftnsr.kernel.namespaces import enter
from tests.bench.world import NETNS

# A forked process is in the network of its parent until it enters another one.
_processes = multiprocessing.get_context("fork")


class Actor:
    """`function(ready, stop, *arguments)` in a process of its own, in a namespace (None: the host).

    It runs when this is made, and has called `ready` by then; `result` asks it to stop.
    """

    def __init__(
        self, namespace: str | None, function: Callable[..., Any], *arguments: object
    ) -> None:
        self._stop = _processes.Event()
        self._answers, sender = _processes.Pipe(duplex=False)
        self._process = _processes.Process(
            target=_act,
            args=(namespace, function, arguments, self._stop, sender),
            daemon=True,  # ended with its parent
        )
        self._process.start()
        sender.close()
        self._answer()

    def result(self) -> Any:
        """Ask it to stop, and return what its function returned."""
        self._stop.set()
        return self.wait()

    def wait(self) -> Any:
        """Return what its function returned when it has come to its own end."""
        answer = self._answer()
        self._process.join()
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def __enter__(self) -> Actor:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _answer(self) -> Any:
        try:
            kind, value = self._answers.recv()
        except EOFError:
            kind, value = "error", "it died"
        if kind == "error":
            raise RuntimeError(f"an actor failed: {value}")
        return value


def _act(
    namespace: str | None,
    function: Callable[..., Any],
    arguments: tuple[object, ...],
    stop: Event,
    answers: Connection,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # its parent ends it
    try:
        if namespace is not None:
            enter(NETNS / namespace)
        value = function(lambda: answers.send(("ready", None)), stop, *arguments)
        answers.send(("value", value))
    except Exception as error:
        answers.send(("error", repr(error)))
