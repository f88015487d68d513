"""The step before Ansible: runs the survey program where the job runs, and makes a plan of its answer."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial

from playstream.pipeline.errors import JobError, shorten
from playstream.pipeline.io.owned import close_owned, own_descriptor
from playstream.pipeline.job.passwords import sort_passwords
from playstream.worker.command import Command
from playstream.worker.console import CommandOutput
from playstream.worker.fast.answers import State
from playstream.worker.fast.asking import place_of
from playstream.worker.fast.plan import Circumstances, Plan, make_plan, nothing
from playstream.worker.fast.survey import MAX_BYTES, SurveyError, read_survey
from playstream.worker.known_secrets import find_secrets
from playstream.worker.launch import Launch
from playstream.worker.paths import SURVEY_DIR
from playstream.worker.pipes import Pipes
from playstream.worker.watch import Outcome, Surroundings, Watch

_PROGRAMS = ("ansible-playbook", "ansible")
_MAX_ERRORS = 1 << 16
_LAST_READS = 64
"""Maximum number of reads after the program's end. Output of processes that it left is not waited for."""
_QUESTIONS_OF_SSH = (
    "user@host's password: ",
    "Enter passphrase for key '/home/user/.ssh/id_ed25519': ",
    "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
    "(user@host) Password: ",
)
_NO_PYTHON = 3
"""Exit status of start.sh if the program is not written in Python."""


class FastStep:
    """Looks at one prepared job.

    Args:
        around: what surrounds the job.
        launch: the prepared job.
    """

    def __init__(self, around: Surroundings, launch: Launch) -> None:
        self._around = around
        self._launch = launch
        self._answer = bytearray()
        self._errors = bytearray()

    def run(self) -> Plan | Outcome:
        """Return what to change for the job, or how the job ended if it was stopped meanwhile.

        Nothing of the step is left when this returns.

        Raises:
            JobError: the guard has died.
            OSError: a file that the step needs cannot be created.
        """
        inner, launch = self._launch.inner, self._launch
        if inner is None:
            return nothing("the command line was changed after it was prepared")
        program = os.path.basename(inner.argv[0])
        if program not in _PROGRAMS:
            return nothing(f"this job runs {program}, and neither {' nor '.join(_PROGRAMS)}")
        sandbox = launch.sandbox
        survey = SURVEY_DIR if sandbox is None else sandbox.seen(SURVEY_DIR)
        words = ("/bin/sh", str(survey / "start.sh"), str(survey), *inner.argv)
        command = Command(words, launch.command.env, inner.cwd if sandbox is not None else launch.command.cwd)
        if sandbox is not None:
            command = sandbox.enclose(command, tty=False)
            sandbox.share()
        try:
            outcome = self._supervise(replace(launch, command=command))
        finally:
            self._around.guard.settle(everything=True)
            if sandbox is not None:
                sandbox.forget_start()
        return outcome or self._decide()

    def _supervise(self, launch: Launch) -> Outcome | None:
        guard = self._around.guard
        vaults = sort_passwords(self._around.job.passwords).vaults
        with _vault_passwords(vaults) as stdin, closing(Pipes(stdin)) as pipes:
            guard.start(launch, pipes)
            watch = Watch(self._around)
            watch.begin()
            for source in pipes.outputs:
                watch.poller.watch(source, partial(self._read, source, watch))
            try:
                while not guard.finished:
                    watch.poller.wait(watch.time_left())
                    watch.check()
            except JobError as error:
                self._errors += str(error).encode()
                return None
            for source in pipes.outputs:
                for _ in range(_LAST_READS):
                    if source.ended or not self._take(source):
                        break
        if watch.ending is not None:
            return Outcome(watch.ending.status, None, watch.ending.explanation, watch.ending.error)
        if guard.rc is None:
            raise JobError(guard.death_report)
        return None

    def _read(self, source: CommandOutput, watch: Watch) -> None:
        self._take(source)
        if source.ended:
            watch.poller.unwatch(source)
        if len(self._answer) > MAX_BYTES and not self._around.guard.finished:
            watch.poller.unwatch(source)
            self._around.guard.terminate()

    def _take(self, source: CommandOutput) -> bool:
        data = source.read()
        if source.name == "stdout":
            self._answer += data
        else:
            self._errors = (self._errors + data)[-_MAX_ERRORS:]
        return bool(data)

    def _decide(self) -> Plan:
        guard, inner, job = self._around.guard, self._launch.inner, self._around.job
        if guard.rc == _NO_PYTHON and inner is not None:
            return nothing(f"{inner.argv[0]} is not a program in Python, so its settings cannot be looked at")
        if guard.rc and len(self._answer) <= MAX_BYTES:
            return nothing(f"Ansible cannot be looked at (exit status {guard.rc}){self._last_words()}")
        try:
            survey = read_survey(bytes(self._answer))
        except SurveyError as error:
            return nothing(f"Ansible cannot be looked at: {error}{self._last_words()}")
        sandbox, control, run_dir = self._launch.sandbox, self._launch.paths.control, self._launch.paths.run_dir
        return make_plan(
            survey,
            Circumstances(
                control_dir=str(control if sandbox is None else sandbox.seen(control)),
                run_dir=str(run_dir if sandbox is None else sandbox.seen(run_dir)),
                sudo=State(place_of(job)).read() if survey.logins else {},
                own_control_dir=bool(job.ssh_key),
                answers_ssh=_answers_ssh(job.passwords),
            ),
        )

    def _last_words(self) -> str:
        """Return the last line that was printed as an error, without the job's secrets."""
        lines = [line for line in self._errors.decode("utf-8", "replace").splitlines() if line.strip()]
        if not lines:
            return ""
        return f": {shorten(_mask(lines[-1].strip(), find_secrets(self._around.job)))}"


@contextmanager
def _vault_passwords(vaults: Mapping[str, str]) -> Iterator[int | None]:
    """Yield a pipe from which the survey program reads the passwords of vaults; None if there are none."""
    if not vaults:
        yield None
        return
    reading, writing = map(own_descriptor, os.pipe())
    try:
        os.set_blocking(writing, False)
        os.write(writing, json.dumps(vaults).encode())  # of more than fits, the program uses nothing
    finally:
        close_owned(writing)
    try:
        yield reading
    finally:
        close_owned(reading)


def _mask(text: str, secrets: Sequence[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "********")
    return "".join(character if character.isprintable() else "?" for character in text)


def _answers_ssh(passwords: Mapping[str, str]) -> bool:
    """Return whether a regular expression of the job's passwords matches a question that ssh itself asks."""
    prompts = sort_passwords(passwords).prompts
    return any(_matches(pattern, question) for pattern in prompts for question in _QUESTIONS_OF_SSH)


def _matches(pattern: str, question: str) -> bool:
    try:
        return re.search(pattern, question) is not None
    except re.error:
        return True
