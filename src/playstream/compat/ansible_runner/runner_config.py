"""The older path of `config.runner`."""

from playstream.compat.ansible_runner.config.runner import ExecutionMode, RunnerConfig

__all__ = ["ExecutionMode", "RunnerConfig"]
