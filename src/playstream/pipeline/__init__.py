"""The pipe that the three stages share: protocol, trees, the Job, links and errors.

Nothing here knows a stage, a face or Ansible; a thing that only one stage needs belongs in that stage.
"""
