"""What tests of boots share."""

from __future__ import annotations

import pytest


@pytest.fixture
def light_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """No code for the root: it is played, and to pack it takes longer than all else here."""
    monkeypatch.setattr("mpboot.head.root.bundle.pack", lambda name: name.encode())
