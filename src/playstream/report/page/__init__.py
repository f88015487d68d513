"""The report as a page: one file of HTML with everything in it, which needs no network and no server.

`PageReport` takes the events of a run. Most of what it holds is what the page holds: numbers in columns, names once,
and results as compressed blocks, of which a browser opens one when somebody asks for a result in it. `rendering` puts
these, the scripts and the styles into the template. Its text cannot become markup or script: see docs/security.md.
"""
