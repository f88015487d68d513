"""ansible-runner's protocol: JSON lines and base64 zips as a second codec over the same records.

Only this package knows the content of ansible-runner's streams; docs/runner-dialect.md specifies it. `pipeline.dialect`
detects the dialect of a stream. Running, unpacking and storing do not belong here.
"""
