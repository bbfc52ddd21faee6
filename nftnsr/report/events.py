"""What a watch tells, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import assert_never

from nftnsr.report.differences import differences_json, differences_text
from nftnsr.report.problems import problems_json
from nftnsr.state.model import HOST
from nftnsr.watch import events as ev
from nftnsr.watch.cases import Case
from nftnsr.watch.events import Event, Situation


def event_text(event: Event, moment: float, *, colour: bool = False) -> str:
    """A line that begins with the local time, and more of them where there is more to say."""
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    head, *rest = _text(event, colour).splitlines()
    more = "".join(f"  {line}\n" if line else "\n" for line in rest)
    return f"{local}.{int(moment * 1000) % 1000:03} {head}\n{more}"


def event_json(event: Event, moment: float) -> dict[str, object]:
    """`event`, `time` (UTC), `router` (null: it is about the machine), and what belongs to it."""
    moment_utc = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    name, data = _json(event)
    router = {"router": event.router or None} if hasattr(event, "router") else {}
    return {"event": name, "time": moment_utc.replace("+00:00", "Z"), **router, **data}


def is_trouble(event: Event) -> bool:
    """Whether somebody should see to it, whatever the form of the output."""
    match event:
        case ev.Seen(_, ev.Drift(obstacles=(_, *_)) | ev.Unclear() | ev.Unfinished()):
            return True
        case ev.HealFailed() | ev.GaveUp() | ev.SpecInvalid():
            return True
        case _:
            return False


def is_remark(event: Event) -> bool:
    """Whether it says only that things go their way."""
    match event:
        case ev.Seen(_, ev.InSync()) | ev.Watching() | ev.Stopping() | ev.SpecReloaded():
            return True
        case ev.Healing():
            return True
        case _:
            return False


def status_text(cases: Mapping[str, Case]) -> str:
    """One line for a service manager."""
    return "; ".join(f"{_who(name)}: {_status(case)}" for name, case in cases.items())


def _status(case: Case) -> str:
    words = "none" if case.situation is None else _situation_name(case.situation)
    return f"{words.replace('-', ' ')}, given up" if case.resting else words.replace("-", " ")


def _situation_name(situation: Situation) -> str:
    match situation:
        case ev.InSync():
            return "in-sync"
        case ev.NotApplied():
            return "not-applied"
        case ev.Drift():
            return "drift"
        case ev.Unfinished():
            return "unfinished"
        case ev.Unclear():
            return "unclear"
        case _:
            assert_never(situation)


def _who(router: str) -> str:
    return "machine" if router == HOST else f"router {router}"


def _text(event: Event, colour: bool) -> str:
    match event:
        case ev.Watching(routers, heals):
            return f"watching {', '.join(routers)}{', and healing' if heals else ''}"
        case ev.Seen(router, situation):
            return f"{_who(router)}: {_situation_text(situation, colour)}"
        case ev.Waiting(command, seconds):
            return f"the {command} waits to be confirmed, {seconds:.0f} s more: nothing is judged"
        case ev.Healing(router):
            return f"{_who(router)}: healing"
        case ev.Healed(router, _, seconds):
            return f"{_who(router)}: healed in {seconds * 1000:.0f} ms"
        case ev.Recovered(command, pid):
            return f"what an earlier {command} (pid {pid}) had left in the middle is undone"
        case ev.HealFailed(router, message):
            return f"{_who(router)}: not healed: {message}"
        case ev.GaveUp(router, tries, within, quiet):
            times = "once" if tries == 1 else f"{tries} times within {within / 60:g} min"
            return (
                f"{_who(router)}: healing was tried {times}, and did not last: given up\n"
                f"something else changes it; find out what, or stop one of the two. It is tried "
                f"again after {quiet / 60:g} min without a change, when the spec changes, or "
                "on SIGHUP"
            )
        case ev.SpecReloaded(routers):
            return f"the spec was read again: {', '.join(routers)}"
        case ev.SpecInvalid(message):
            return f"the spec cannot be used; the last good one stays in force:\n{message}"
        case ev.Stopping(signal):
            return f"stopping on {signal}"
        case _:
            assert_never(event)


def _situation_text(situation: Situation, colour: bool) -> str:
    match situation:
        case ev.InSync():
            return "in sync"
        case ev.NotApplied():
            return "not applied here, or taken down: waiting for nftnsr apply"
        case ev.Drift(differences, obstacles):
            reasons = "".join(f"{o.message}\n  hint: {o.hint}\n" for o in obstacles)
            return f"drift\n{differences_text(differences, colour=colour)}{reasons}"
        case ev.Unfinished(command, pid):
            return f"the {command} of pid {pid} ended in the middle; nftnsr recover undoes it"
        case ev.Unclear(message):
            return f"cannot be looked at: {message}"
        case _:
            assert_never(situation)


def _json(event: Event) -> tuple[str, dict[str, object]]:
    match event:
        case ev.Watching(routers, heals):
            return "watching", {"routers": list(routers), "heal": heals}
        case ev.Seen(_, situation):
            return _situation_name(situation), _situation_json(situation)
        case ev.Waiting(command, seconds):
            return "waiting", {"command": command, "seconds": round(seconds, 3)}
        case ev.Healing():
            return "healing", {}
        case ev.Healed(_, differences, seconds):
            healed = {"seconds": round(seconds, 6), "differences": differences_json(differences)}
            return "healed", healed
        case ev.Recovered(command, pid):
            return "recovered", {"command": command, "pid": pid}
        case ev.HealFailed(_, message):
            return "heal-failed", {"error": message}
        case ev.GaveUp(_, tries, within, quiet):
            return "gave-up", {"tries": tries, "within": within, "quiet": quiet}
        case ev.SpecReloaded(routers):
            return "spec-reloaded", {"routers": list(routers)}
        case ev.SpecInvalid(message, problems):
            return "spec-invalid", {"error": message, "problems": problems_json(problems)}
        case ev.Stopping(signal):
            return "stopping", {"signal": signal}
        case _:
            assert_never(event)


def _situation_json(situation: Situation) -> dict[str, object]:
    match situation:
        case ev.InSync() | ev.NotApplied():
            return {}
        case ev.Drift(differences, obstacles):
            reasons = [{"message": o.message, "hint": o.hint} for o in obstacles]
            return {"differences": differences_json(differences), "obstacles": reasons}
        case ev.Unfinished(command, pid):
            return {"command": command, "pid": pid}
        case ev.Unclear(message):
            return {"error": message}
        case _:
            assert_never(situation)
