"""Driving an execution: it runs in a new thread, and sends its records to the process stage in the caller's."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from playstream.interface.watched_run import INTERRUPTED_REASON, STREAM_ERRORS, Poll
from playstream.pipeline.errors import JobError, PlaystreamError, as_error, name_of
from playstream.pipeline.io.cancellation import DELIVERY_SECONDS, LOOK_SECONDS, Cancellation, DeliveryTime
from playstream.pipeline.io.mailbox import CLOSED, EMPTY, Mailbox, ToShow
from playstream.pipeline.protocol import Failure, Noise, Record, Status
from playstream.process import Processor

Execution = Callable[[], PlaystreamError | None]
"""Runs a job to its end and puts its records into a mailbox. Returns an error to report after them, or raises it."""
MakeExecution = Callable[[Mailbox[Any], Cancellation], Execution]


class ExecutionDrive:
    """Drives one execution to its end.

    Args:
        make_execution: creates the execution.
        cancellation: a request to cancel the job.
    """

    def __init__(self, make_execution: MakeExecution, cancellation: Cancellation) -> None:
        self._mailbox = Mailbox[Record | Noise | ToShow](cancellation.wake)
        self._execution = make_execution(self._mailbox, cancellation)
        self._cancellation = cancellation
        self._left = DeliveryTime(cancellation)
        self._owner = os.getpid()
        self._crash: BaseException | None = None
        self._error: BaseException | None = None
        self._late = 0
        """Number of records that arrived after the time for their delivery."""

    def run(self, processor: Processor, poll: Poll) -> BaseException | None:
        """Run to the end, even if there are errors.

        Args:
            processor: receives the records, in this thread.
            poll: called between records; may raise.

        Returns:
            The first exception of the caller's functions or of the processor, or None. The job was stopped because of
            it, and earlier results are kept. In a process forked by one of the functions, the exception is raised.
        """
        thread = threading.Thread(target=self._execute, name="playstream-execution", daemon=True)
        thread.start()
        while True:
            try:
                while self._step(processor, poll):
                    pass
                thread.join()
                break
            except BaseException as error:  # KeyboardInterrupt may be raised between any two instructions
                if os.getpid() != self._owner:
                    raise  # a child forked by a handler: the run belongs to its parent
                self._fail(error)
        return self._error or self._crash

    def _step(self, processor: Processor, poll: Poll) -> bool:
        """Process one record; return False if there will be no more."""
        record = self._mailbox.take(LOOK_SECONDS)
        if record is CLOSED:
            return False
        if isinstance(record, ToShow):
            processor.flush()
            record.write()
        elif record is not EMPTY:
            with self._left.taking():
                self._take(record, processor)
                if self._mailbox.empty:
                    processor.flush()
        poll()
        return True

    def _take(self, record: Record | Noise, processor: Processor) -> None:
        """Pass a record to the processor.

        After a request to cancel and the time for delivery, only pass records about the end of the job.
        """
        if not self._left.over:
            processor.receive(record)
            return
        self._late += 1
        if self._late == 1:
            logging.getLogger("playstream").warning(
                "%s, but the handlers or the reader of the output did not take all results within %g seconds: the rest "
                "is dropped",
                self._cancellation.reason,
                DELIVERY_SECONDS,
            )
        if isinstance(record, (Status, Failure)):
            processor.receive(record)
        if processor.status.terminal:
            self._mailbox.fail(JobError("the results are no longer being read"))

    def _fail(self, error: BaseException) -> None:
        """Stop the job. Further results are kept, unless keeping them is what failed."""
        if self._error is None:
            self._error = error
            self._cancellation.request(
                INTERRUPTED_REASON if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
            )
        elif not isinstance(error, STREAM_ERRORS):
            self._mailbox.fail(JobError(f"the results cannot be kept: {error}"))

    def _execute(self) -> None:
        """Run the execution, in its thread."""
        try:
            error = self._execution()
            if error is not None:
                self._mailbox.put(Failure(name_of(error), str(error)))
        except (PlaystreamError, OSError) as caught:
            failed = as_error(caught)
            self._mailbox.put(Failure(name_of(failed), str(failed)))
        except BaseException as defect:  # noqa: BLE001 - raised in the caller's thread
            self._crash = defect
        finally:
            self._mailbox.close()
