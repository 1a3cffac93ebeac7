"""The World that settings are read from: environment variables, folders, small files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ultrai.domain.errors import SettingsError

FILE_NAME: Final = "ultrai.toml"
LARGEST_FILE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class World:
    """Environment variables, which may hold keys and are not shown, and the working directory."""

    environ: Mapping[str, str] = field(repr=False)
    cwd: Path

    def path(self, text: str, *, folder: Path) -> Path:
        """`text` as an absolute path: `~` is the user's home, a relative one starts at `folder`."""
        if text == "~" or text.startswith("~/"):
            return self._user_home() / text[2:]
        return folder / text

    def state_home(self) -> Path:
        """`$XDG_STATE_HOME/ultrai`, else `~/.local/state/ultrai`."""
        return self._xdg("XDG_STATE_HOME", ".local/state") / "ultrai"

    def settings_file(self, config: Path | None) -> Path | None:
        """The file to read: `config`, else the one here, else the user's; None where there is none.

        What exists but cannot be read is not passed over: reading it says why.
        """
        if config is not None:
            return self.path(str(config), folder=self.cwd)
        here = self.cwd / FILE_NAME
        if _is_there(here):
            return here
        try:
            of_user = self.user_settings_file()
        except SettingsError:  # nobody's home: nobody's settings
            return None
        return of_user if _is_there(of_user) else None

    def user_settings_file(self) -> Path:
        """Where a user's settings file belongs, whether or not there is one."""
        return self._xdg("XDG_CONFIG_HOME", ".config") / "ultrai" / FILE_NAME

    def _xdg(self, variable: str, default: str) -> Path:
        """A base directory; a relative one is ignored, as the XDG specification asks."""
        named = Path(self.environ.get(variable) or "")
        return named if named.is_absolute() else self._user_home() / default

    def _user_home(self) -> Path:
        home = self.environ.get("HOME")
        if home:
            return self.cwd / home
        try:
            return Path.home()
        except (RuntimeError, KeyError):
            message = "environment: there is no home directory"
            raise SettingsError(message, hint="set HOME, or ULTRAI_HOME to a folder") from None


def read_text(path: Path) -> str:
    """A small file's text; SettingsError in one line for whatever stands in the way."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in the name
        raise SettingsError(f"{str(path)!r}: is not the name of a file") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise SettingsError(f"{path}: is larger than {LARGEST_FILE_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{path}: line {line} is not UTF-8"
        raise SettingsError(message, hint="save the file as UTF-8") from None


def _is_there(path: Path) -> bool:
    """Whether something bears that name, be it a dangling link or out of reach."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        return False
    except OSError:
        return True
    return True
