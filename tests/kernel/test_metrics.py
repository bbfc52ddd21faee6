"""`--metrics FILE`: a check and an apply tell a node exporter what they found."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nftnsr.report.metrics import Checked, metrics_text
from nftnsr.report.usage import Usage

from .conftest import ARTICLE, Segment, sh
from .test_cli import DIFFERS, SAME, TROUBLE, nftnsr

Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "article.toml"
    path.write_text(ARTICLE.replace("forward ", "counters = true\nforward "))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "collector"
    place.mkdir()
    return place / "nftnsr.prom"


def read(file: Path) -> dict[Sample, float]:
    families = text_string_to_metric_families(file.read_text())
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


def test_parser_of_prometheus_reads_every_label(file: Path) -> None:
    forward = Usage('80/tcp -> "a\\b"', None, 1, 2, 3, 0)
    file.write_text(metrics_text([Checked("ens3", {"route": 2}, 1e9, 0.5, 1e9, (forward,))]))
    found = read(file)
    assert len(found) == sum(not line.startswith("#") for line in file.read_text().splitlines())
    assert found[at("nftnsr_forward_bytes_total", forward='80/tcp -> "a\\b"')] == 3


def at(name: str, **labels: str) -> Sample:
    return name, frozenset({"router": "ens3", **labels}.items())


def test_check_and_apply_write_what_they_found(segment: Segment, spec: Path, file: Path) -> None:
    began = time.time()
    assert nftnsr("diff", "--metrics", file, spec).status == DIFFERS
    first = read(file)
    assert first[at("nftnsr_in_sync")] == 0
    assert first[at("nftnsr_differences", kind="namespace")] == 1
    assert first[at("nftnsr_differences", kind="route")] >= 2
    assert at("nftnsr_last_apply_timestamp_seconds") not in first

    assert nftnsr("apply", "--metrics", file, spec).status == SAME
    applied = read(file)
    assert applied[at("nftnsr_in_sync")] == 1
    assert began < applied[at("nftnsr_last_apply_timestamp_seconds")] < time.time()
    sh("ip -n ens3 route del default; ip route del default via 192.168.158.1")

    assert nftnsr("diff", "--quiet", "--metrics", file, spec).status == DIFFERS
    drift = read(file)
    assert drift[at("nftnsr_in_sync")] == 0
    assert drift[at("nftnsr_differences", kind="route")] == 2
    same = at("nftnsr_last_apply_timestamp_seconds")
    assert drift[same] == applied[same]
    late, early = (m[at("nftnsr_last_check_timestamp_seconds")] for m in (drift, applied))
    assert late > early


def test_forwards_are_counted_by_their_words(segment: Segment, spec: Path, file: Path) -> None:
    assert nftnsr("apply", spec).status == SAME
    # Nobody listens: the connection is one packet there, and a refusal back.
    sh("timeout 2 bash -c '</dev/tcp/1.2.3.4/22' || true", segment.provider)
    assert nftnsr("diff", "--metrics", file, spec).status == SAME
    found = read(file)
    assert found[at("nftnsr_forward_connections_total", forward="22/tcp")] == 1
    assert found[at("nftnsr_forward_packets_total", forward="22/tcp")] == 2
    assert found[at("nftnsr_forward_bytes_total", forward="22/tcp")] == 60 + 40


def test_unconfirmed_apply_is_no_success_yet(segment: Segment, spec: Path, file: Path) -> None:
    assert nftnsr("apply", "--confirm", "60s", "--metrics", file, spec).status == SAME
    assert at("nftnsr_last_apply_timestamp_seconds") not in read(file)
    assert nftnsr("confirm").status == SAME
    assert nftnsr("diff", "--metrics", file, spec).status == SAME
    assert at("nftnsr_last_apply_timestamp_seconds") in read(file)


def test_file_is_replaced_whole_and_readable_by_all(
    segment: Segment, spec: Path, file: Path
) -> None:
    file.write_text("old\n")
    file.chmod(0o600)
    with file.open() as reader:
        assert nftnsr("diff", "--metrics", file, spec).status == DIFFERS
        assert reader.read() == "old\n"  # who had begun to read it reads on
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(file.parent.iterdir()) == [file]


def test_metrics_that_cannot_be_written_are_trouble_but_undo_nothing(
    segment: Segment, spec: Path, file: Path
) -> None:
    nowhere = file.parent / "none" / "nftnsr.prom"
    check = nftnsr("diff", "--metrics", nowhere, spec)
    assert check.status == TROUBLE
    assert f"cannot write the metrics to {nowhere}: No such file or directory" in check.err
    done = nftnsr("apply", "--metrics", nowhere, spec)
    assert done.status == SAME
    assert "nftnsr: done, but cannot write the metrics" in done.err
    assert nftnsr("diff", spec).status == SAME
