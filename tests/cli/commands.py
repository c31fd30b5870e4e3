"""The commands as typer has made them of the functions."""

from __future__ import annotations

from typing import Any

import typer.main

from mpboot.cli.main import app

GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = GROUP.commands
