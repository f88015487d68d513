"""The runner dialect: ansible-runner's JSON lines and base64 zips as a second codec over the same records.

What ansible-runner's streams say is known here and nowhere else; docs/runner-dialect.md specifies it. Which dialect a
stream is in, `pipeline.dialect` tells. Running, unpacking and keeping do not belong here.
"""
