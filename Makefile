# One command for each thing that a person or CI does here. `make` alone explains them.

PYTHON ?= python3
PORT ?= 8000
SRC ?= bmad
export PORT

VENV := .venv
BIN := $(VENV)/bin
UV := uv==0.9.30
AIMOCK := @copilotkit/aimock@1.43.0

# A stamp's name holds the lock's checksum and the Python's version: while both
# stay, nothing is installed and no network is needed.
version := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
checksum = $(shell cksum $(1) 2>/dev/null | cut -d ' ' -f 1)
run_stamp := $(VENV)/bmad2pf-run-$(version)-$(call checksum,requirements.txt)
dev_stamp := $(VENV)/bmad2pf-dev-$(version)-$(call checksum,requirements-dev.txt)
lock = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --quiet

home = $(shell dirname '$(SRC)')
run_python = '$(CURDIR)/$(BIN)/python'

.DEFAULT_GOAL := help
.PHONY: help run test check bench lock clean
.PHONY: python lint types generated-check stand-in redis-server aimock

help: ## Say what make can do
	@echo "bmad2pf: agents written in Markdown become a PocketFlow service."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12   the Python to use, 3.11 or newer (now: $(PYTHON))"
	@echo "  PORT=9000           where 'make run' serves (now: $(PORT))"
	@echo "  SRC=../shop/bmad    what 'make run' compiles (now: $(SRC)); all it makes goes beside that"
	@echo "  OPENAI_API_KEY=...  ask OpenAI; with OPENAI_BASE_URL anything that speaks its API."
	@echo "                      Without a key an offline model answers."

run: $(run_stamp) ## Compile $SRC (bmad) and serve it on port $PORT (8000)
	@test -d '$(SRC)' || { echo "There is no folder '$(SRC)'. SRC names the one with agents/, such as ../shop/bmad" >&2; exit 2; }
	@echo "==> compiling $(SRC) into $(home)/generated"
	@cd '$(home)' && $(run_python) '$(CURDIR)/scripts/bmad2pf.py' --src "$$(basename '$(SRC)')"
	@echo "==> serving it; Ctrl-C ends it"
	@cd '$(home)' && exec $(run_python) -m generated

test: $(dev_stamp) lint types generated-check stand-in redis-server ## Run every check and every test, with coverage
	@echo "==> tests"
	@$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal --cov --cov-report=term

check: $(dev_stamp) lint types ## Lint, check types, and see whether generated/ is up to date
	@echo "==> bmad2pf.py --check"
	@$(BIN)/python scripts/bmad2pf.py --check

bench: $(dev_stamp) ## Measure against peers (minutes; installs them into .venv-bench)
	@$(BIN)/python -m bench.generate
	@$(BIN)/python -m bench.flow
	@$(BIN)/python -m bench.sample
	@$(BIN)/python -m bench.http
	@$(BIN)/python -m bench.stream
	@$(BIN)/python -m bench.service
	@$(BIN)/python -m bench.store
	@$(BIN)/python -m bench.redis_store

lock: python ## Resolve pyproject.toml anew into requirements*.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check $(UV)
	@$(lock) --extra service --extra openai --extra redis --extra otel --output-file requirements.txt
	@$(lock) --extra service --extra openai --extra anthropic --extra google --extra redis --extra otel --extra dev \
		--output-file requirements-dev.txt
	@echo "requirements.txt and requirements-dev.txt are up to date"

clean: ## Remove what make made: environments, generated/, caches (data in memory/ and docs/ stays)
	@rm -rf $(VENV) .venv-* .aimock generated build dist .coverage .coverage.* coverage.xml
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The rest is used by the targets above.

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "bmad2pf needs Python 3.11 or newer, and '$(PYTHON)' is $(or $(version),missing). Try: make $(or $(firstword $(MAKECMDGOALS)),run) PYTHON=python3.12" >&2; exit 2; }

$(run_stamp) $(dev_stamp): | python

$(run_stamp):
	$(call install,requirements.txt,bmad2pf-run-*)

$(dev_stamp):
	$(call install,requirements-dev.txt,bmad2pf-*)
	@touch $(run_stamp)

define install
@echo "==> installing $(1) into $(VENV) (once)"
@test "$$($(BIN)/python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)" = "$(version)" \
  || $(PYTHON) -m venv --clear $(VENV)
@rm -f $(VENV)/$(2)
@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $(1)
@touch $@
endef

lint: $(dev_stamp)
	@echo "==> ruff"
	@$(BIN)/python -m ruff check --quiet
	@$(BIN)/python -m ruff format --check --quiet || { echo "Not formatted; run: $(BIN)/ruff format"; exit 1; }
	@$(BIN)/python -m black --check --quiet --config pyproject.toml scripts || { echo "black would change scripts/; see: $(BIN)/black --diff scripts"; exit 1; }

types: $(dev_stamp)
	@echo "==> mypy --strict"
	@$(BIN)/python -m mypy --no-error-summary

generated-check: $(dev_stamp)
	@echo "==> ruff and mypy --strict on a generated tree"
	@set -e; tree=$$(mktemp -d); trap 'rm -rf "$$tree"' EXIT; here=$$(pwd); \
	  $(BIN)/python scripts/bmad2pf.py --out "$$tree/generated" >"$$tree/log" 2>&1 || { cat "$$tree/log"; exit 1; }; \
	  cd "$$tree"; python="$$here/$(BIN)/python"; config="$$here/pyproject.toml"; \
	  "$$python" -m ruff check --quiet --config "$$config" generated; \
	  "$$python" -m ruff format --check --quiet --config "$$config" generated; \
	  "$$python" -m mypy --no-error-summary --config-file "$$config" \
	    --cache-dir "$$here/.mypy_cache/generated" -p generated

stand-in:
	@test -x .aimock/node_modules/.bin/llmock || command -v llmock >/dev/null || \
	  echo "==> no model stand-in: its tests are skipped. Install Node 20.15 or newer with npm, then: make aimock"

redis-server:
	@command -v redis-server >/dev/null || \
	  echo "==> no redis-server: its tests are skipped. Install it: apt-get install redis-server, or brew install redis"

aimock:
	@mkdir -p .aimock
	@npm install --prefix .aimock --ignore-scripts --no-save --no-audit --no-fund --loglevel=error $(AIMOCK)
