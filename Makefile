# Two commands do it all on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all

.DEFAULT_GOAL := help
.PHONY: help demo report serve app lung-network test test-slow test-browser test-slurm test-gpu test-dicomweb lint clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

# ctseg is installed from where it lies, for its command; jobs run the library of their own checkout all the same.
$(VENV)/.installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit("ctseg needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	@PYTHONPATH=workflow_scripts $(PYTHON) -m ctseg.study.environment "$(BIN)/python"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@

$(VENV)/.installed-app: $(VENV)/.installed requirements-app.txt
	$(BIN)/pip install --quiet --requirement requirements-app.txt
	touch $@

demo: $(VENV)/.installed  ## install, then run the default study: phantom CT from DICOM to model, metrics and report
	. $(BIN)/activate && snakemake --cores $(CORES)
	@cat results/phantom/metrics/note.md
	@echo "Look at results/phantom/report.html"

report: $(VENV)/.installed  ## Snakemake's own report of the default study
	. $(BIN)/activate && snakemake --report results/phantom/snakemake_report.html

serve: $(VENV)/.installed  ## segment scans over HTTP on this machine: make serve MODEL=model.onnx
	$(BIN)/python -m serving --model $(or $(MODEL),results/phantom/model/model.onnx)

app: $(VENV)/.installed-app  ## a page to try models on: make app MODEL=model.onnx, or MODEL="one.onnx two.onnx"
	$(BIN)/python -m streamlit run serving/page/app.py --server.address 127.0.0.1 --server.headless true \
		--server.maxUploadSize 1024 --server.fileWatcherType none --browser.gatherUsageStats false --client.toolbarMode minimal --theme.primaryColor "#0072b2" \
		-- $(or $(MODEL),results/phantom/model/model.onnx)

lung-network: $(VENV)/.installed  ## train the lung network again: make lung-network SCANS=folder (docs/lung_field.md)
	PYTHONPATH=workflow_scripts $(BIN)/python -m ctseg.lung_training.train $(SCANS)

lint: $(VENV)/.installed-dev  ## formatting, lint of code and workflow, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	. $(BIN)/activate && snakemake --lint

test: lint  ## everything that must hold, in minutes; the same examples of each property every time
	$(BIN)/python -m pytest --hypothesis-profile=ci --numprocesses logical --maxprocesses 4 --dist loadfile

test-slow: $(VENV)/.installed-dev  ## tests that take longer: whole studies, real scans
	$(BIN)/pip install --quiet roc-validator==0.13.0
	$(BIN)/python -m pytest -m slow

test-browser: $(VENV)/.installed-dev $(VENV)/.installed-app  ## tests of the pages in a real browser; needs Chromium
	$(BIN)/pip install --quiet playwright==1.65.2
	$(BIN)/python -m pytest -m browser

test-gpu: $(VENV)/.installed-dev  ## the whole study, training and inference on an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu -p no:randomly

test-slurm: $(VENV)/.installed-dev  ## the workflow on a real Slurm of one node, started for it; Debian, as root
	command -v slurmctld munged > /dev/null || apt-get install --yes --no-install-recommends slurm-wlm munge
	$(BIN)/pip install --quiet snakemake-executor-plugin-slurm==2.8.0 snakemake-executor-plugin-cluster-generic==1.0.9
	$(BIN)/python -m pytest -m slurm

test-dicomweb: $(VENV)/.installed-dev  ## the service with a real DICOMweb server, Orthanc; Debian, as root
	command -v Orthanc > /dev/null || apt-get install --yes --no-install-recommends orthanc orthanc-dicomweb
	$(BIN)/python -m pytest tests/service/test_dicomweb.py

clean:  ## remove what running left behind, but not the results
	rm -rf .pytest_cache .mypy_cache .ruff_cache
