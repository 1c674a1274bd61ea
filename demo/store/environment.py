"""Settings from environment variables. Apart from `settings`, because the library takes long to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource

RENAMED = {"wake_url": "queue_url"}  # former name → name: both are read, the new one wins


def read(fields: type[BaseModel], environ: Mapping[str, str]) -> dict[str, Any]:
    """The fields that `environ` gives, by name, as text: variables are named like the fields, in capitals."""

    class Named(BaseSettings, fields):  # type: ignore[misc, valid-type]  # the library asks for its own kind of model
        pass

    return _Environment(Named, environ)()


class _Environment(EnvSettingsSource):
    """Reads settings from any mapping, so that a test need not change its process's environment."""

    def __init__(self, settings: type[BaseSettings], environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        given = {name.lower(): value for name, value in self._environ.items()}
        return {new: given[old] for old, new in RENAMED.items() if old in given} | given
