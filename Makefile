# Every target makes its own environment in .venv first, so each works on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready

.PHONY: demo test test-long check format lint types layers docs bench bench-quality clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)  ## learn benign traffic, plant 20 faults, alert; ends by itself
	$(BIN)/aemonitor demo

test: $(READY)  ## the test suite, in random order, warnings as errors
	$(BIN)/python -m pytest -m "not long"

test-long: $(READY)  ## minutes of faults and soak
	$(BIN)/python -m pytest -m long --timeout 3600

check: format lint types layers docs test  ## everything that must be green

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)  ## two checkers, strict
	$(BIN)/mypy
	$(BIN)/basedpyright

layers: $(READY)  ## imports point down
	$(BIN)/lint-imports

docs: $(READY)  ## generated pages are current, links lead somewhere
	$(BIN)/python docs/generate.py --check

bench: $(READY)  ## records per CPU second on one core, against mtail on the same files
	$(BIN)/python benches/throughput.py

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	touch $(BENCH_READY)

bench-quality: $(BENCH_READY)  ## detection quality on labelled sets, against well-known detectors; writes docs/quality.md
	$(BIN)/python -m benches.quality

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-out bench-out
