"""The report in Markdown, such as for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from playstream.report.collecting import COUNTS, Collector, RunEnd, ShortReport, explanation_of, headline
from playstream.report.failures import Failure, first_of, name_of, place_of

_MAX_HOSTS = 50
"""Number of hosts in the table: first those that failed, then those that changed."""
_MAX_FAILURES = 25
_MAX_SIZE = 50_000
"""Number of characters after which no other failure is told; a comment on GitHub has at most 65,536."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@$-])")
"""Characters that have a meaning in Markdown or HTML, or name somebody."""
_HEADINGS = ("Host", *(name.capitalize() for name in COUNTS))


class MarkdownReport(ShortReport):
    """The report as Markdown in GitHub's flavour."""

    def pieces(self, end: RunEnd) -> Iterator[str]:
        """Yield the text."""
        collector = self.collector
        yield f"### {escape(headline(collector, end))}\n"
        explanation = explanation_of(end)
        if explanation:
            yield f"\n{escape(explanation[:2000])}\n"
        yield from _table(collector)
        failures, more = collector.failures()
        told = first_of(map(_tell, failures), _MAX_FAILURES, _MAX_SIZE)
        yield from told
        left = len(failures) - len(told) + more
        if left:
            yield f"\nAnd {left} more failed results.\n"


def _table(collector: Collector) -> Iterator[str]:
    hosts = collector.hosts
    if not hosts:
        return
    yield "\n| " + " | ".join(_HEADINGS) + " |\n|---|" + "---:|" * len(COUNTS) + "\n"
    order = sorted(hosts.items(), key=lambda item: (-_weight(item[1]), item[0]))
    for host, counts in order[:_MAX_HOSTS]:
        yield f"| {escape(name_of(host))} | " + " | ".join(str(counts[name]) for name in COUNTS) + " |\n"
    if len(order) > _MAX_HOSTS:
        total = collector.total
        yield f"| *all {len(order)} hosts* | " + " | ".join(str(total[name]) for name in COUNTS) + " |\n"


def _weight(counts: Mapping[str, int]) -> int:
    return 2 if counts["failures"] or counts["unreachable"] else 1 if counts["changed"] else 0


def _tell(failure: Failure) -> str:
    what = "did not reach" if failure.unreachable else "failed on"
    where = place_of(failure)
    head = f"\n**{escape(failure.task)}** {what} **{escape(name_of(failure.host))}**{where and f' ({escape(where)})'}\n"
    body = "\n".join(f"{name}: {text}" for name, text in failure.details)
    if not body:
        return head
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{head}\n{fence}text\n{body}\n{fence}\n"


def escape(text: str) -> str:
    """Return a text as one line that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
