# Two commands do everything on a fresh machine with Python 3.11+, git and make: `make demo`, `make test`.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-long check format lint types layers schemas contracts lock clean
.DEFAULT_GOAL := test

$(STAMP): locks/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "release-guard needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)  ## the main job on real git, from a refused push to a verified promotion
	@$(BIN)/guard demo $(if $(KEEP),--keep $(KEEP))

test: format lint types layers $(STAMP)  ## the whole check
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-long: $(STAMP)
	GUARD_TEST_LONG=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

format: $(STAMP)
	$(BIN)/ruff format --check .
lint: $(STAMP)
	$(BIN)/ruff check .
types: $(STAMP)
	$(BIN)/mypy
layers: $(STAMP)
	$(BIN)/lint-imports --no-cache

schemas: $(STAMP)  ## regenerate docs/schemas and the policy reference
	$(BIN)/python -m guard.cli.schemas docs

contracts: $(STAMP)  ## fetch GitHub's description and example webhooks anew; needs npm
	@dir=$$(mktemp -d) && (cd $$dir && npm pack --silent @octokit/openapi@23.0.2 @octokit/webhooks-examples@7.6.1 >/dev/null && \
	  mkdir o w && tar xzf octokit-openapi-*.tgz -C o && tar xzf octokit-webhooks-examples-*.tgz -C w) && \
	$(BIN)/python -m tools.trim_github_contract $$dir/o/package/generated/api.github.com.json && \
	$(BIN)/python -m tools.sample_github_webhooks $$dir/w/package/api.github.com/index.json && rm -rf $$dir

lock:  ## resolve the newest versions anew; needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --custom-compile-command "make lock" --extra service --group dev pyproject.toml -o locks/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --custom-compile-command "make lock" --extra service pyproject.toml -o locks/service.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --custom-compile-command "make lock" pyproject.toml -o locks/base.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
