"""Reports of a run for programs and for people who do not look at a terminal.

They are JUnit, Markdown, text for agents, and traces for Perfetto. A report takes the events of a run as they arrive,
and returns its text at the end. The events come from a worker that is not trusted: a field of the wrong type counts as
missing, and what is shown cannot change the format around it.
"""
