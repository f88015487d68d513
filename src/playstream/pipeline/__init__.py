"""What the three stages share: protocol, trees, jobs, I/O and errors.

Nothing here depends on a stage, on the command line or on Ansible; what only one stage needs belongs in that stage.
"""
