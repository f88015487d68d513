"""The cache of a worker's host: what jobs have brought, so that it need not be sent again.

`assembly` makes a tree of objects, whose listings `known` holds. `store` reads and writes the objects of one sender.
`reuse` takes what an earlier job has left in its directory, which `ready` moves, `written` checks, and `difference`
compares with the tree.
`place` has the layout and the check of the directory, `senders` the names of its divisions, `active` the jobs that use
it, `eviction` what is removed when it is full, and `inspection` what `playstream cache` does.
"""
