"""Settings whose key is a reference, and what a program that uses the key gets or is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ultrai.domain.errors import CredentialsError
from ultrai.settings.load import load
from ultrai.settings.model import Settings


def loaded(home: Path, reference: str, **environ: str) -> Settings:
    """The settings of an environment that holds the reference and little else."""
    environ = {"OPENROUTER_API_KEY": reference, "ULTRAI_HOME": str(home), **environ}
    return load(environ=environ, cwd=home)


def key_of(settings: Settings) -> str:
    """What a program gets that uses the key."""
    assert settings.key is None, "no store is asked while settings load"
    assert settings.key_reference is not None, settings.key_problem
    return settings.key_reference.read().reveal()


def problem_of(settings: Settings) -> str:
    """What a program is told that uses the key."""
    if settings.key_problem is not None:
        return settings.key_problem
    assert settings.key_reference is not None
    with pytest.raises(CredentialsError) as caught:
        settings.key_reference.read()
    return f"{caught.value}; {caught.value.hint}"
