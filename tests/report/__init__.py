"""Reports of runs: JUnit, Markdown, and text for agents."""
