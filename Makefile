# Needs Python 3.11 or newer, make and a package registry; everything else is obtained, with progress.
# `make help` lists what there is to make.

PYTHON ?= python3
VENV := .venv
RUN := PYTHONPATH=$(CURDIR)/operator:$(CURDIR)/tests $(VENV)/bin/python
KEEP ?=
QUICK ?=
JSON ?=
PODS ?=
CHECKPOINTS ?=
SECONDS ?= 600
SEED ?= 1
PROFILE ?=
HISTORIES ?= 100000
VERSIONS ?=

.DEFAULT_GOAL := help
.PHONY: help venv install control-plane test test-unit test-property test-nvml test-simulation test-mutants test-differential test-hostile test-cluster test-full test-matrix test-node test-storm lint format demo bench bench-operator bench-agent soak storm simulate clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(VENV)/.stamp ## Make the virtual environment with labquota and its test tools
install: venv

$(VENV)/.stamp: pyproject.toml tests/constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("labquota needs Python 3.11 or newer, and this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	@echo "venv: installing labquota and its test tools into $(VENV)"
	@began=$$(date +%s); \
	  $(PYTHON) -m venv $(VENV) && \
	  $(VENV)/bin/python -m pip --quiet --disable-pip-version-check install -c tests/constraints.txt -e '.[test]' && \
	  echo "venv: done in $$(( $$(date +%s) - began )) s"
	@touch $@

control-plane: venv ## Build the Kubernetes control plane, once: it is kept in the user's cache folder
	@$(RUN) -m controlplane build

test: venv ## Lint, then every test: unit, property, nvml, simulation, mutants, differential, hostile, cluster
	@$(RUN) tests/stages.py

test-unit test-property test-nvml test-simulation test-mutants test-differential: test-%: venv
	@$(RUN) tests/stages.py $*

test-hostile: venv ## Bad input for decoders, importer and webhook, made up from a kept corpus
	@$(RUN) tests/stages.py control-plane hostile

test-cluster: venv ## The tests on a real control plane alone
	@$(RUN) tests/stages.py control-plane cluster planes

test-full: venv ## Every cluster test, also without policies and the long ones, which `make test` leaves out
	@FULL=1 $(RUN) tests/stages.py control-plane cluster planes

test-matrix: venv ## The cluster tests on Kubernetes 1.34, 1.35 and 1.36, each built once; VERSIONS="1.34" for some
	@$(RUN) tests/matrix.py $(VERSIONS)

test-node: venv ## A real kubelet, containerd and NVIDIA's device plugin on made-up GPUs; needs Linux, root and a C compiler
	@$(RUN) tests/stages.py control-plane node

test-storm: venv ## Two minutes of storms while everything is killed, frozen, cut off and slowed
	@$(RUN) tests/stages.py control-plane storm

lint: venv ## ruff, mypy and the import contracts
	@$(RUN) tests/stages.py lint

format: venv ## Format the code
	@$(VENV)/bin/ruff check --quiet --fix . ; $(VENV)/bin/ruff format .

demo: control-plane ## Play the main job on a real control plane; KEEP=1 leaves it running
	@KEEP=$(KEEP) $(RUN) -m demo

bench: control-plane ## Measure labquota side by side with the built-in ResourceQuota; QUICK=1 in two minutes
	@$(RUN) -m bench $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))

storm: control-plane ## Storms for as long as you say: SECONDS=3600 SEED=7; PROFILE=strict or shipped
	@$(RUN) -m storm --seconds $(SECONDS) --seed $(SEED) $(if $(PROFILE),--profile $(PROFILE))

bench-operator: control-plane ## Measure the operator among 100,000 pods alone
	@$(RUN) -m bench --operator $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))

bench-agent: control-plane ## Measure an agent on a node of 8 GPUs of 7 slices alone
	@$(RUN) -m bench --agent $(if $(QUICK),--quick) $(if $(JSON),--json $(JSON))

soak: control-plane ## Let 100,000 pods live and end, and look that nothing is left; PODS=5000 for fewer
	@$(RUN) -m soak $(if $(PODS),--pods $(PODS)) $(if $(CHECKPOINTS),--checkpoints $(CHECKPOINTS))

simulate: venv ## Random histories of labquota on a simulated cluster: HISTORIES=100000 SEED=7; PROFILE=handover
	@$(RUN) -m simulation --histories $(HISTORIES) --seed $(SEED) $(if $(PROFILE),--profile $(PROFILE))

clean: ## Remove the virtual environment and what tools left here; the built control plane stays in its cache
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis operator/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
