"""What is asked, alike of the bare loop and of UltrAI."""

from __future__ import annotations

from dataclasses import dataclass

from upstream import model_id

KEY = "sk-or-v1-0000000000000000000000000000000000000000000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Question:
    """One prompt to `count` models; the first words of the prompt are the upstream's script."""

    count: int
    stream: bool
    frames: int = 10
    per_write: int = 1000
    pace_ms: int = 0
    hold: bool = False

    @property
    def models(self) -> list[str]:
        """Whom it is put to."""
        return [model_id(index) for index in range(self.count)]

    @property
    def prompt(self) -> str:
        """What is said."""
        script = (
            f"[frames={self.frames} per_write={self.per_write} pace_ms={self.pace_ms} "
            f"hold={int(self.hold)}]"
        )
        return f"{script} Explain quantum computing in simple terms."
