"""The command line as a person or a program meets it: processes, their output, their status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from attrs import frozen

from nftnsr.transaction.lock import holder, lock

from .conftest import ARTICLE, Segment, assert_same, everything, sh

ROOT = Path(__file__).parents[2]
SAME, DIFFERS, TROUBLE = 0, 1, 2
UNPRINTABLE = "nftnsr: done, but what was done cannot be printed"


@frozen
class Done:
    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "nftnsr", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "NFTNSR_DEBUG")}
    path = os.pathsep.join(filter(None, (more.pop("PYTHONPATH", ""), str(ROOT))))
    return kept | {"PYTHONPATH": path} | more


def nftnsr(*arguments: str | Path, prefix: Sequence[str] = (), **more: str) -> Done:
    done = subprocess.run(
        [*prefix, *command(*arguments)],
        capture_output=True,
        text=True,
        env=environment(**more),
        timeout=60,
    )
    assert "Traceback" not in done.stderr + done.stdout
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "article.toml"
    path.write_text(ARTICLE)
    return path


def settled() -> str:
    """Everything, but what the kernel adds in its own time after a link has come up."""
    own = ("local ", "broadcast ", "multicast ", "anycast ")
    lines = everything().replace(" linkdown", "").splitlines()
    kept = [line for line in lines if not line.startswith(own) and "fe80::" not in line]
    return "\n".join(sorted(kept))


@pytest.fixture
def untouched(box: None) -> Iterator[None]:
    """Everything that the test did left everything as it was."""
    before = settled()
    yield
    assert_same(settled(), before)
    assert not list(Path("/var/lib/nftnsr").iterdir())
    assert not Path("/run/nftnsr/journal").exists()


# -- the life of a router ------------------------------------------------------------------


def test_each_status_is_as_the_manual_says(segment: Segment, spec: Path) -> None:
    before = settled()
    assert nftnsr("diff", spec).status == DIFFERS
    first = nftnsr("apply", spec)
    assert (first.status, first.err) == (SAME, "")
    assert "+ namespace ens3" in first.out
    assert nftnsr("diff", spec) == Done(SAME, "", "")
    assert nftnsr("apply", spec) == Done(SAME, "", "nothing to change\n")
    assert nftnsr("apply", "--quiet", spec) == Done(SAME, "", "")
    down = nftnsr("down", "ens3")
    assert (down.status, down.err) == (SAME, "")
    assert "- namespace ens3" in down.out
    assert nftnsr("diff", spec).status == DIFFERS
    again = nftnsr("down", spec)
    assert (again.status, again.out) == (SAME, "")
    assert_same(settled(), before)


def test_drift_is_shown_and_put_right(segment: Segment, spec: Path) -> None:
    assert nftnsr("apply", spec).status == SAME
    sh("""
      ip -n ens3 route del default
      ip netns exec ens3 nft delete element inet nftnsr forward_ipv4 '{ tcp . 22 }'
    """)
    drift = nftnsr("diff", spec)
    assert drift.status == DIFFERS
    assert drift.out == (
        "namespace ens3:\n"
        "  + route default via 1.2.3.1 dev ens3 proto 110\n"
        "    table inet nftnsr {\n"
        "        map forward_ipv4 {\n"
        "  +         tcp . 22 : 192.168.158.2 . 22\n"
        "        }\n"
        "    }\n"
    )
    assert f"nftnsr apply {spec}" in drift.err
    assert nftnsr("apply", spec).out == drift.out
    assert nftnsr("diff", spec) == Done(SAME, "", "")


def test_json_is_one_document_and_messages_go_elsewhere(segment: Segment, spec: Path) -> None:
    assert nftnsr("validate", "--json", spec).document["routers"] == ["ens3"]
    compiled = nftnsr("compile", "--json", spec).document
    assert set(compiled) == {"operations", "rulesets"}
    assert str(compiled["rulesets"]).count("forward_ipv4") > 1
    explained = nftnsr("compile", "--json", "--explain", spec).document
    assert set(explained) == {"operations", "rulesets", "explained"}
    differing = nftnsr("diff", "--json", spec)
    assert (differing.status, differing.document["same"]) == (DIFFERS, False)
    first = nftnsr("apply", "--json", spec)
    assert (first.status, first.document["changed"]) == (SAME, True)
    assert first.document["differences"] == differing.document["differences"]
    second = nftnsr("apply", "--json", spec)
    assert (second.document["changed"], second.document["differences"]) == (False, [])
    assert nftnsr("diff", "--json", spec).document["same"] is True
    assert nftnsr("recover", "--json").document == {"recovered": False}
    down = nftnsr("down", "--json", "ens3")
    assert (down.status, down.document["changed"]) == (SAME, True)


def test_json_of_differences_says_where_what_and_which(segment: Segment, spec: Path) -> None:
    nftnsr("apply", spec)
    sh("""
      ip netns exec ens3 nft delete element inet nftnsr forward_ipv4 '{ tcp . 22 }'
      sysctl -qw net.ipv6.conf.vens3.addr_gen_mode=0
    """)
    assert nftnsr("diff", "--json", spec).document["differences"] == [
        {
            "namespace": None,
            "action": "change",
            "kind": "sysctl",
            "what": "sysctl net.ipv6.conf.vens3.addr_gen_mode 0 -> 1",
            "found": "sysctl net.ipv6.conf.vens3.addr_gen_mode = 0",
            "wanted": "sysctl net.ipv6.conf.vens3.addr_gen_mode = 1",
        },
        {
            "namespace": "ens3",
            "action": "change",
            "kind": "map",
            "what": "map inet nftnsr forward_ipv4",
            "found": "map inet nftnsr forward_ipv4",
            "wanted": "map inet nftnsr forward_ipv4",
            "lines": ["+ tcp . 22 : 192.168.158.2 . 22"],
        },
    ]


def test_specs_of_the_usual_place_are_taken_when_none_is_named(segment: Segment) -> None:
    Path("/etc/nftnsr/article.toml").write_text(ARTICLE)
    assert nftnsr("validate").out == "valid: 1 router, 1 forward\n"
    assert nftnsr("apply").status == SAME
    assert nftnsr("diff") == Done(SAME, "", "")
    assert nftnsr("down").status == SAME
    assert sh("ip netns list") == ""


# -- the terminal --------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_that_want_it(
    segment: Segment, spec: Path, more: dict[str, str], colour: bool
) -> None:
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        command("diff", spec), stdout=end, stderr=subprocess.DEVNULL, env=environment(**more)
    )
    os.close(end)
    shown = b""
    while chunk := _chunk(terminal):
        shown += chunk
    os.close(terminal)
    assert process.wait() == DIFFERS
    assert b"route default" in shown
    assert (b"\x1b[" in shown) is colour


def _chunk(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


def test_no_colour_where_no_terminal_is(segment: Segment, spec: Path) -> None:
    assert "\x1b" not in nftnsr("diff", spec).out


@pytest.mark.parametrize("verb", ["validate", "compile", "apply"])
def test_reader_that_has_gone_is_no_failure_of_ours(
    segment: Segment, spec: Path, verb: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command(verb, spec), stdout=writer, stderr=subprocess.PIPE, text=True, env=environment()
    )
    os.close(writer)
    if verb == "apply":  # it is done, whoever hears of it
        assert (done.returncode, done.stderr) == (SAME, f"{UNPRINTABLE}: Broken pipe\n")
        assert nftnsr("diff", spec).status == SAME
    else:
        assert (done.returncode, done.stderr) == (TROUBLE, "")


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", ">&- 2>&-", "2>/dev/full"])
def test_output_that_cannot_be_written_breaks_nothing(
    segment: Segment, spec: Path, redirection: str
) -> None:
    line = f'exec "$@" {redirection}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *command("apply", spec)],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert "Traceback" not in done.stderr and "internal" not in done.stderr
    assert done.returncode == SAME
    assert (UNPRINTABLE in done.stderr) is (redirection == ">/dev/full")
    assert nftnsr("diff", spec) == Done(SAME, "", "")


# -- signals and crashes -------------------------------------------------------------------


def stopped_in_the_middle(spec: Path) -> subprocess.Popen[str]:
    """An apply, stopped when it has done everything but commit it."""
    begun, go = spec.with_name("begun"), spec.with_name("go")
    os.mkfifo(begun)
    os.mkfifo(go)
    process = subprocess.Popen(
        command("apply", "--check", f"echo > {begun}; read _ < {go}", spec),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    begun.read_text()  # waits for the check to write
    process.send_signal(signal.SIGSTOP)
    go.write_text("\n")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_apply_leaves_everything_as_found(
    segment: Segment, untouched: None, spec: Path, number: signal.Signals
) -> None:
    process = stopped_in_the_middle(spec)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (TROUBLE, "")
    assert err == f"nftnsr: interrupted by {number.name}\neverything is as it was before\n"


def test_killed_apply_is_told_by_diff_and_undone_by_the_next_command(
    segment: Segment, untouched: None, spec: Path
) -> None:
    process = stopped_in_the_middle(spec)
    process.kill()
    process.communicate()
    told = nftnsr("diff", "--json", spec)
    assert told.document["unfinished"] == "cut off"
    assert "`nftnsr recover` undoes it" in told.err
    recovered = nftnsr("recover", "--json")
    assert (recovered.status, recovered.document) == (SAME, {"recovered": True})
    assert f"an earlier apply (pid {process.pid}) ended in the middle" in recovered.err
    assert nftnsr("recover") == Done(SAME, "", "nothing to recover\n")


def test_second_command_at_the_same_time_is_refused(segment: Segment, spec: Path) -> None:
    with lock():
        busy = nftnsr("apply", spec)
    assert (busy.status, busy.out) == (TROUBLE, "")
    assert busy.err.startswith(f"nftnsr: another nftnsr (pid {os.getpid()})")


def test_a_change_under_way_is_not_told_as_cut_off(
    segment: Segment, untouched: None, spec: Path
) -> None:
    process = stopped_in_the_middle(spec)
    told = [nftnsr(*words) for words in (("diff", spec), ("status",), ("journal",))]
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    diff, status, journal = told
    busy = f"nftnsr: pid {process.pid} is changing this machine at this moment\n"
    assert diff.err.startswith(busy)
    assert status.err.endswith(busy)
    assert "it is under way" in journal.out
    assert not any("recover" in each.out + each.err for each in told)


def test_a_look_takes_no_lock_and_writes_nothing(segment: Segment, spec: Path) -> None:
    """So it is in the way of no change, and works where nothing can be written."""
    assert nftnsr("apply", spec).status == SAME
    with lock():
        assert holder() == str(os.getpid())
    assert holder() is None
    sh("mount -o remount,ro /run/nftnsr; mount -o remount,ro /var/lib/nftnsr")
    assert nftnsr("diff", spec) == Done(SAME, "", "")
    assert nftnsr("status").status == SAME


def test_disk_that_is_full_in_the_middle_leaves_everything_as_found(
    segment: Segment, untouched: None, spec: Path
) -> None:
    seen = set()
    for pages in range(1, 9):
        sh(f"mount -t tmpfs -o size={pages * os.sysconf('SC_PAGESIZE')} none /run/nftnsr")
        before = settled()
        done = nftnsr("apply", spec)
        if done.status == SAME:
            sh("umount /run/nftnsr")
            assert nftnsr("down", "ens3").status == SAME
            break
        assert done.status == TROUBLE
        _, _, undone = done.err.partition("nftnsr: /run/nftnsr/")
        reason, _, undone = undone.partition("\n")
        assert reason.endswith("cannot be written: No space left on device")
        seen.add(undone)
        assert_same(settled(), before)
        assert not Path("/run/nftnsr/journal").exists()
        sh("umount /run/nftnsr")
    assert seen == {"", "everything is as it was before\n"}


# -- what can be wrong ---------------------------------------------------------------------


def refused(done: Done, *words: str, lines: int = 2) -> None:
    """Nothing but one message, short enough to be read, with these words in it."""
    assert (done.status, done.out) == (TROUBLE, "")
    assert "internal error" not in done.err
    assert len(done.err.splitlines()) <= lines, done.err
    for word in words:
        assert word in done.err


# Without capabilities in the namespace, and by another name than root's.
NOBODY = ("unshare", "--user")
ROOT_IN_NAME_ONLY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


def test_deciding_needs_no_root(spec: Path) -> None:
    assert nftnsr("validate", spec, prefix=NOBODY).status == SAME
    assert "ip netns add ens3" in nftnsr("compile", spec, prefix=NOBODY).out


@pytest.mark.parametrize("verb", ["diff", "apply", "down", "recover"])
def test_touching_needs_root(segment: Segment, untouched: None, spec: Path, verb: str) -> None:
    arguments = (verb,) if verb == "recover" else (verb, spec)
    refused(nftnsr(*arguments, prefix=NOBODY), "this needs root", "hint: run it with sudo")


@pytest.mark.parametrize("verb", ["diff", "apply"])
def test_root_without_capabilities_is_told_so(
    segment: Segment, untouched: None, spec: Path, verb: str
) -> None:
    refused(nftnsr(verb, spec, prefix=ROOT_IN_NAME_ONLY), "Operation not permitted")


def test_missing_uplink_is_named_with_what_is_there(spec: Path) -> None:
    sh("ip link add enp1s0 type veth peer name p0")
    before = settled()
    refused(nftnsr("apply", spec), "there is no interface ens3", "hint:", "enp1s0, p0")
    seen = nftnsr("diff", spec)
    assert (seen.status, "there is no interface ens3" in seen.err) == (DIFFERS, True)
    assert "puts this right" not in seen.err
    assert_same(settled(), before)


@pytest.mark.parametrize("verb", ["diff", "apply"])
def test_foreign_namespace_is_named(segment: Segment, spec: Path, verb: str) -> None:
    sh("ip netns add ens3")
    before = settled()
    words = ("network namespace ens3 exists and nftnsr did not make it", "hint:")
    refused(nftnsr(verb, spec), *words)
    assert_same(settled(), before)


@pytest.mark.parametrize("verb", ["diff", "apply"])
def test_taken_interface_name_is_named(segment: Segment, spec: Path, verb: str) -> None:
    sh("ip link add vens3 type bridge")
    before = settled()
    refused(nftnsr(verb, spec), "interface vens3 exists already on this host", "hint:")
    assert_same(settled(), before)


@pytest.fixture
def no_libnftables(box: None) -> Iterator[None]:
    """An empty file in the place of the library, in this test's mount namespace."""
    maps = "import nftables; nftables.Nftables(); print(open('/proc/self/maps').read())"
    loaded = sh(f'{sys.executable} -c "{maps}" | grep -o "/.*libnftables.so.*" | head -1')
    sh(f"mount --bind /dev/null {loaded}")
    yield
    sh(f"umount {loaded}")


def test_libnftables_that_does_not_load_is_named(no_libnftables: None, spec: Path) -> None:
    refused(
        nftnsr("apply", spec),
        "libnftables cannot be loaded",
        "hint: apt-get install libnftables1",
    )


def test_missing_binding_is_named(
    segment: Segment, untouched: None, spec: Path, tmp_path: Path
) -> None:
    (tmp_path / "nftables.py").write_text("raise ModuleNotFoundError('nftables')\n")
    words = ("the Python binding of libnftables is missing", "hint: pip install oxl-libnftables")
    refused(nftnsr("apply", spec, PYTHONPATH=str(tmp_path)), *words)


def test_missing_directory_of_specs_is_named(untouched: None) -> None:
    refused(nftnsr("apply"), "no spec was named, and there is no /etc/nftnsr/*.toml", lines=1)


def test_unknown_router_is_named_with_the_known_ones(segment: Segment, spec: Path) -> None:
    nftnsr("apply", spec)
    words = "nothing is known of a router wan; applied here: ens3"
    refused(nftnsr("down", "wan"), words, lines=1)
    assert nftnsr("diff", spec).status == SAME


FILES: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "bad.toml: there is no such file"),
    "broken TOML": (b"[router.ens3\n", "bad.toml:1:13: "),
    "not UTF-8": (b"# caf\xe9\n[router.ens3]\n", "bad.toml:1:6: byte 0xe9 is not UTF-8"),
    "empty": (b"", "bad.toml"),
    "binary": (bytes(range(256)), "bad.toml:2:118: byte 0x80 is not UTF-8"),
}


@pytest.mark.parametrize("name", FILES)
def test_spec_that_cannot_be_read_is_named(untouched: None, tmp_path: Path, name: str) -> None:
    content, words = FILES[name]
    if content is not None:
        (tmp_path / "bad.toml").write_bytes(content)
    for verb in ("validate", "apply"):
        refused(nftnsr(verb, tmp_path / "bad.toml"), f"{tmp_path}/", words, lines=4)


def test_directory_as_spec_is_named(untouched: None, tmp_path: Path) -> None:
    for verb in ("validate", "apply"):
        words = f"{tmp_path}: this is a directory, not a file"
        refused(nftnsr(verb, tmp_path), words, lines=1)


def test_problem_of_a_spec_is_shown_at_its_place(untouched: None, spec: Path) -> None:
    spec.write_text(ARTICLE.replace("22/tcp", "70000/tcp"))
    shown = nftnsr("apply", spec)
    refused(shown, f"{spec}:6:15: ", "70000", "^^^^", lines=4)
    as_data = nftnsr("apply", "--json", spec)
    assert (as_data.status, as_data.err) == (TROUBLE, shown.err)
    assert as_data.document["valid"] is False


def test_failure_is_a_document_too(untouched: None, spec: Path) -> None:
    done = nftnsr("apply", "--json", spec)
    assert done.status == TROUBLE
    assert "there is no interface ens3" in str(done.document["error"])
    assert "there is no interface ens3" in done.err


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"no JSON", b"[]", b'{"router": "ens3"}', b"\0", b"\xff"]
)
def test_damaged_record_is_named_and_nothing_is_touched(
    segment: Segment, spec: Path, content: bytes
) -> None:
    Path("/var/lib/nftnsr/ens3.json").write_bytes(content)
    before = settled()
    for arguments in (("apply", spec), ("down", "ens3")):
        refused(nftnsr(*arguments), "/var/lib/nftnsr/ens3.json is damaged")
    assert_same(settled(), before)


@pytest.mark.parametrize("content", [b"{}\n", b"no JSON\n", b"\xff\xfe\n"])
def test_damaged_journal_is_named_and_nothing_is_touched(
    segment: Segment, spec: Path, content: bytes
) -> None:
    Path("/run/nftnsr/journal").write_bytes(content)
    before = settled()
    for arguments in (("apply", spec), ("recover",), ("diff", spec)):
        refused(nftnsr(*arguments), "/run/nftnsr/journal cannot be read")
    assert_same(settled(), before)


def test_wrong_arguments_are_refused_with_the_usage() -> None:
    for arguments in ((), ("aply",), ("apply", "--now"), ("validate", "--json=yes")):
        done = nftnsr(*arguments)
        assert (done.status, done.out) == (TROUBLE, "")
        assert done.err.startswith("usage: nftnsr")


def test_help_and_version_need_nothing() -> None:
    assert nftnsr("--version").out.startswith("nftnsr ")
    shown = nftnsr("--help").out
    for verb in ("validate", "compile", "diff", "apply", "down", "rehearse", "recover"):
        assert verb in shown
        assert nftnsr(verb, "--help").status == SAME


def test_validating_imports_little(spec: Path) -> None:
    """It is run at every save of an editor."""
    program = "import sys; from nftnsr.cli import main; main(); print(*sys.modules)"
    modules = sh(f'cd {ROOT}; {sys.executable} -c "{program}" validate {spec}').split()
    assert not {"pyroute2", "nftables", "rich", "asyncio"} & set(modules)


@pytest.mark.parametrize("words", [("validate",), ("validate", "--json"), ("compile",)])
def test_full_output_is_trouble_and_nothing_worse(spec: Path, words: tuple[str, ...]) -> None:
    """Also where Python holds the output back until its end, and would exit 120 then."""
    held_back = {k: v for k, v in environment().items() if k != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*words, spec), stdout=full, stderr=subprocess.PIPE, text=True, env=held_back
        )
    assert done.returncode == TROUBLE
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr
