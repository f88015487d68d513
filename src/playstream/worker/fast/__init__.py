"""`--fast`: a step before Ansible that looks at the job and chooses what makes it faster.

`step` runs the survey program (`plugin/survey`) where the job runs, `survey` checks its answer, and `plan` decides,
without any IO. docs/fast.md says what is chosen and why.
"""
