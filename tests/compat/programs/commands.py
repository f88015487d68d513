"""Commands: on a terminal, with pipes, on the program's own files, and one that does not exist."""

import sys

import ansible_runner

private_data_dir = sys.argv[1]
print("before", flush=True)
words = ["-c", "echo out; echo err >&2; exit 3"]
print(
    ansible_runner.run_command("sh", words, input_fd=sys.stdin, output_fd=sys.stdout, error_fd=sys.stderr), flush=True
)
print(ansible_runner.run_command("sh", words, private_data_dir=private_data_dir, quiet=True))
print(ansible_runner.run_command("sh", words, private_data_dir=private_data_dir, runner_mode="subprocess", quiet=True))
out, err, rc = ansible_runner.run_command("sh", ["-c", "echo shown"], runner_mode="subprocess", quiet=True)
print(repr(out), rc)
out, err, rc = ansible_runner.run_command("sh", ["-c", "echo shown"])
print(repr(out), rc)
out, err, rc = ansible_runner.run_command("no-such-program", ["x"], private_data_dir=private_data_dir, quiet=True)
print("no-such-program" in out, repr(err), rc)
for options in ({"unknown_parameter": 1}, {"runner_mode": "other"}):
    try:
        ansible_runner.run_command("sh", words, **options)
    except (TypeError, ansible_runner.ConfigurationError) as error:
        print(isinstance(error, TypeError))
print(ansible_runner.run_command("sh", ["-c", "sleep 60"], quiet=True, timeout=2)[2])
