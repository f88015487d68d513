#!/usr/bin/python
"""A module that tells a word in a warning, a deprecation, a result and an error."""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule({"word": {"required": True}, "fail": {"type": "bool", "default": False}})
    word = module.params["word"]
    module.warn(f"warned of {word}")
    module.deprecate(f"deprecated is {word}", version="9.9", collection_name="ansible.builtin")
    if module.params["fail"]:
        module.fail_json(msg=f"failed with {word}")
    module.exit_json(said=word)


main()
