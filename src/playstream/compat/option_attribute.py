"""Options and settings of a configuration as its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from playstream.pipeline.job.options import SETTING_OPTIONS


class Configuration(Protocol):
    """A configuration with such attributes."""

    options: dict[str, Any]

    settings: dict[str, Any]

    def set_options(self, options: Mapping[str, Any]) -> None:
        """Set options."""


class Option:
    """An option under the name of ansible-runner's configuration. It may be set before `prepare()`.

    Args:
        option: name of the option of run().
        default: value if the option is not given.
    """

    def __init__(self, option: str, default: Any = None) -> None:
        self._option = option
        self._default = default

    def __get__(self, config: Configuration | None, owner: type | None = None) -> Any:
        if config is None:
            return self
        given = config.options.get(self._option, self._default)
        return config.settings.get(self._option, given) if self._option in SETTING_OPTIONS else given

    def __set__(self, config: Configuration, value: Any) -> None:
        config.set_options({self._option: value})


class Setting:
    """A setting under the name of ansible-runner's configuration. It may be set until the run starts.

    Args:
        default: value if the setting is not given.
    """

    def __init__(self, default: Any = None) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, config: Configuration | None, owner: type | None = None) -> Any:
        return self if config is None else config.settings.get(self._name, self._default)

    def __set__(self, config: Configuration, value: Any) -> None:
        others = {name: known for name, known in (config.settings or {}).items() if name != self._name}
        config.settings = others if value is None else {**others, self._name: value}
