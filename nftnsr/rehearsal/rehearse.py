"""A whole rehearsal in a child process: build the world, apply the spec, try what it promises."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.isolation import die_with, isolate
from nftnsr.rehearsal.change import apply_over
from nftnsr.rehearsal.merged import beginning, changed, merged
from nftnsr.rehearsal.outcome import Rehearsal, Result, Seconds, Stage
from nftnsr.rehearsal.trying import OnProgress, probe, untried
from nftnsr.rehearsal.world import World
from nftnsr.spec.model import Spec
from nftnsr.state.model import Namespace

Apply = Callable[[Spec], object]
Send = Callable[[object], None]


def rehearse(
    spec: Spec,
    apply: Apply,
    on_progress: OnProgress | None = None,
    *,
    live: Namespace | None = None,
) -> Rehearsal:
    """Apply `spec` to a twin of this host in a world of its own, and try all that it promises.

    `apply` runs in a child process whose network namespace is the twin. `on_progress` gets each
    stage and each result as it comes. When this returns or raises, or its process ends, the world
    is gone. The twin begins as the spec has it, or as the host is that `live` shows.
    """
    return _rehearsal(lambda send: _perform(spec, apply, send, live), on_progress)


def rehearse_change(
    old: Spec,
    new: Spec,
    apply: Apply,
    on_progress: OnProgress | None = None,
    *,
    live: Namespace | None = None,
) -> Rehearsal:
    """The same with `new` applied over `old`, while flows of the old one are under way."""
    return _rehearsal(lambda send: _perform_change(old, new, apply, send, live), on_progress)


def _rehearsal(perform: Callable[[Send], None], on_progress: OnProgress | None) -> Rehearsal:
    rehearsal = in_child(perform, on_progress)
    assert isinstance(rehearsal, Rehearsal)
    return rehearsal


def in_child(perform: Callable[[Send], None], on_progress: OnProgress | None = None) -> object:
    """What `perform` sends last, in a child process with namespaces of its own."""
    # A fork, since `apply` may be anything that can be called; it starts in milliseconds.
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(os.getpid(), sender, perform), daemon=True)
    child.start()
    sender.close()
    try:
        return _listen(receiver, on_progress or (lambda _: None))
    except EOFError:
        child.join()
        raise KernelError(
            f"the rehearsal ended without a result ({_end(child.exitcode)})"
        ) from None
    finally:
        _kill(child.pid)
        child.join()
        receiver.close()


def _listen(receiver: Connection, on_progress: OnProgress) -> object:
    while True:
        match receiver.recv():
            case Stage() | Result() as progress:
                on_progress(progress)
            case Exception() as error:
                raise error
            case result:
                return result


def _child(parent: int, sender: Connection, perform: Callable[[Send], None]) -> None:
    die_with(parent)
    # A session of its own: Ctrl-C is the parent's affair, and what `apply` starts can be killed.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    try:
        isolate()
        perform(sender.send)
    except KernelError as error:
        sender.send(error)
    except Exception as error:
        sender.send(_portable(error))
    # Nothing here needs an orderly end, least of all what was copied from the parent.
    os._exit(0)


def _perform(spec: Spec, apply: Apply, send: Send, live: Namespace | None) -> None:
    start = time.perf_counter()
    send(Stage("world"))
    with World(spec, live=live) as world:
        send(Stage("apply"))
        built = time.perf_counter()
        apply(spec)
        applied = time.perf_counter()
        results = probe(world, send)
        seconds = Seconds(built - start, applied - built, time.perf_counter() - applied)
        # The parent ends this process now, and with it the world, sooner than `with` would.
        send(Rehearsal(results, untried(world), seconds))


def _perform_change(old: Spec, new: Spec, apply: Apply, send: Send, live: Namespace | None) -> None:
    start = time.perf_counter()
    send(Stage("world"))
    with World(merged(old, new), start=beginning(old, new), live=live) as world:
        world.turn_to(old)
        send(Stage("apply"))
        built = time.perf_counter()
        apply(old)
        send(Stage("change"))
        applied = time.perf_counter()
        flows, unseen = apply_over(world, old, new, lambda: apply(new))
        for result in flows:
            send(result)
        turned = time.perf_counter()
        world.turn_to(changed(old, new))
        results = (*flows, *probe(world, send))
        seconds = Seconds(
            built - start, applied - built, time.perf_counter() - turned, turned - applied
        )
        send(Rehearsal(results, (*unseen, *untried(world)), seconds))


def _portable(error: Exception) -> KernelError:
    """Any other error, with its message: its own type might not survive the way to the parent."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]  # of many probes at once, the first that stumbled
    message = str(error) or type(error).__name__
    portable = KernelError(message, getattr(error, "hint", None))
    portable.add_note("".join(traceback.format_exception(error)))
    return portable


def _kill(pid: int | None) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        # Its own session's group, which it may not have had yet.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _end(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return signal.Signals(-exitcode).name
    return f"exit status {exitcode}"
