"""ansible-runner's protocol: JSON lines and base64 zips as a second codec over the same records.

What ansible-runner's streams say is known here and nowhere else; docs/runner-dialect.md specifies it.
`pipeline.dialect` detects the dialect of a stream. Running, unpacking and storing do not belong here.
"""
