"""A module with a secret argument, which it says so of, as modules do."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule({"password": {"type": "str", "no_log": True}})
    module.exit_json(changed=False, length=len(module.params["password"]))


main()
