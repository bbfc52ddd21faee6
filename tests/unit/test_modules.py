"""Which of a helper's two modules is missing, read from a tree like /sys/module."""

from __future__ import annotations

from pathlib import Path

import pytest

from nftnsr.kernel.modules import missing_translator


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["nf_conntrack_ftp/initstate"], "nf_nat_ftp"),
        (["nf_conntrack_ftp/initstate", "nf_nat_ftp/initstate"], None),
        # Built in, with parameters; and without any, or another kernel: nobody can tell.
        (["nf_conntrack_ftp/parameters"], None),
        ([], None),
    ],
)
def test_translating_module_is_missing_where_only_the_reading_one_was_loaded(
    tmp_path: Path, there: list[str], missing: str | None
) -> None:
    for name in there:
        (tmp_path / name).mkdir(parents=True)
    assert missing_translator("ftp", tmp_path) == missing
