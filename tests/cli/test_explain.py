"""mpboot explain: each cause has its text, that of the documentation."""

from __future__ import annotations

import pytest

from mpboot.cli.explain import WIDTH, page, sections
from mpboot.tree import causes
from tests.support.run_mpboot import mpboot


@pytest.mark.parametrize("cause", causes.ALL)
def test_each_cause_has_its_text(cause: str) -> None:
    text = sections(page())[cause]
    assert len(text) > 60
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "](" not in text
    assert "**" not in text
    assert "  " not in "\n".join(line.strip() for line in text.splitlines())


def test_what_helps_is_told_where_no_other_page_is_installed() -> None:
    told = " ".join(mpboot("explain", "password-prompt", "auth").stdout.split())
    assert "give it to the host (`ssh-copy-id node5`), and load it if it has a passphrase (`ssh-add`). auth" in told
    assert told.endswith("or have this machine alone launch (`--topology flat`).")
    assert ".md" not in mpboot("explain").stdout


def test_what_was_asked_for_is_told_in_that_order() -> None:
    done = mpboot("explain", "auth", "refused")
    assert done.returncode == 0
    assert done.stdout.startswith("auth\n\nThe host answered and let nobody in")
    assert "\n\nrefused\n\nThe machine answers" in done.stdout
    assert "resolve" not in mpboot("explain", "lost").stdout
    assert all(f"{cause}\n\n" in mpboot("explain").stdout for cause in (causes.ALL[0], causes.ALL[-1]))


def test_what_is_no_cause() -> None:
    done = mpboot("explain", "atuh")
    assert (done.returncode, done.stderr) == (2, "mpboot: atuh is no cause: did you mean auth?\n")
    assert "did you mean lost?" in mpboot("explain", "LOST").stderr
    assert "the causes are resolve, " in mpboot("explain", "xxxxxxx").stderr
