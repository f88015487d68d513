"""The Python interface.

It connects stages with links; the stages do the work. `playstream` has the same names, each loaded when it is first
used, so that a program loads only the stages it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playstream.interface.aio import EventStream as EventStream
    from playstream.interface.aio import arun as arun
    from playstream.interface.aio import stream as stream
    from playstream.interface.ansible_doc import get_plugin_docs as get_plugin_docs
    from playstream.interface.ansible_doc import get_plugin_docs_async as get_plugin_docs_async
    from playstream.interface.ansible_doc import get_plugin_list as get_plugin_list
    from playstream.interface.ansible_doc import get_role_argspec as get_role_argspec
    from playstream.interface.ansible_doc import get_role_list as get_role_list
    from playstream.interface.ansible_queries import get_ansible_config as get_ansible_config
    from playstream.interface.ansible_queries import get_inventory as get_inventory
    from playstream.interface.commands import run_command as run_command
    from playstream.interface.commands import run_command_async as run_command_async
    from playstream.interface.config import RunnerConfig as RunnerConfig
    from playstream.interface.event_handler import EventHandler as EventHandler
    from playstream.interface.replaying import replay as replay
    from playstream.interface.run_code import RunCode as RunCode
    from playstream.interface.runner import Runner as Runner
    from playstream.interface.running import init_runner as init_runner
    from playstream.interface.running import run as run
    from playstream.interface.running import run_async as run_async
    from playstream.pipeline.errors import AuthenticationFailed as AuthenticationFailed
    from playstream.pipeline.errors import BootstrapError as BootstrapError
    from playstream.pipeline.errors import CallbackError as CallbackError
    from playstream.pipeline.errors import ConfigurationError as ConfigurationError
    from playstream.pipeline.errors import ExecutableNotFound as ExecutableNotFound
    from playstream.pipeline.errors import HostKeyRejected as HostKeyRejected
    from playstream.pipeline.errors import IncompleteStream as IncompleteStream
    from playstream.pipeline.errors import IncompleteTree as IncompleteTree
    from playstream.pipeline.errors import IsolationError as IsolationError
    from playstream.pipeline.errors import JobError as JobError
    from playstream.pipeline.errors import JobExpired as JobExpired
    from playstream.pipeline.errors import JobRefused as JobRefused
    from playstream.pipeline.errors import LimitExceeded as LimitExceeded
    from playstream.pipeline.errors import LinkError as LinkError
    from playstream.pipeline.errors import LocalProtocolError as LocalProtocolError
    from playstream.pipeline.errors import NeedsNotMet as NeedsNotMet
    from playstream.pipeline.errors import NodeLost as NodeLost
    from playstream.pipeline.errors import OutputError as OutputError
    from playstream.pipeline.errors import PlaystreamError as PlaystreamError
    from playstream.pipeline.errors import ProtocolError as ProtocolError
    from playstream.pipeline.errors import RemoteProtocolError as RemoteProtocolError
    from playstream.pipeline.errors import SilentPeer as SilentPeer
    from playstream.pipeline.errors import StoreError as StoreError
    from playstream.pipeline.errors import UnreachableHost as UnreachableHost
    from playstream.pipeline.errors import UnsafePath as UnsafePath
    from playstream.pipeline.errors import WorkerBusy as WorkerBusy
    from playstream.pipeline.errors import WorkerError as WorkerError
    from playstream.pipeline.errors import WorkerNotFound as WorkerNotFound
    from playstream.process.task_results import ItemResult as ItemResult
    from playstream.process.task_results import TaskResult as TaskResult
    from playstream.process.task_results import TaskResults as TaskResults
else:

    def __getattr__(name: str) -> Any:
        import playstream  # noqa: PLC0415 - avoids a circular import

        if name in playstream.__all__ and name != "interface":
            return getattr(playstream, name)
        raise AttributeError(f"module 'playstream.interface' has no attribute {name!r}")
