"""A small web service that starts a playbook and tells how it goes. `python -m flask_service --help` starts it."""
