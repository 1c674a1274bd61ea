# 그려줘: everything that can be done here. `make` alone prints this list.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 5000
MINUTES ?= 8
PRESET ?= cpu
# Processes that the tests share; 0 runs them in the one that you called (for a debugger).
PROCESSES ?= 2
RUNS := $(or $(RUNS_DIR),runs)
FIGURES ?=
export PORT

.DEFAULT_GOAL := help
.PHONY: help run test test-long test-quick clients lint lint-js data figures bench gallery word-pictures screenshots pool train-embedded \
  train-scorers train-korean korean-sd15 korean-sdxl clean

help:  ## print this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*?## "} {printf "  make %-16s %s\n", $$1, $$2}'

$(VENV)/.run: requirements.txt
	@command -v c++ >/dev/null || { echo "a C++ compiler is needed to build annoy: on Debian, apt-get install g++ python3-dev"; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(VENV)/.run  ## serve the studio on 127.0.0.1:5000 (PORT=… moves it) with the checkpoint that ships
	exec $(PY) -m demo serve

# in the order of the files' names: by the number of their tests the few long ones would come last, on one process
TESTED := $(PY) -m pytest -q -n $(PROCESSES) --dist loadfile --no-loadscope-reorder -m

test: $(VENV)/.dev  ## run every test but the long proofs
	$(TESTED) "not slow and not openvino"
	$(TESTED) "openvino and not slow"

test-long: $(VENV)/.dev  ## run the long proofs: hundreds of kills and damages, full disks, full-size layouts (hours)
	$(PY) -m pytest -q -m slow --timeout 3600

test-quick: $(VENV)/.dev  ## run the tests that take seconds
	$(TESTED) "not slow and not browser and not openvino"

PACKAGES := hangul jobspec index training fashion pictures ko_clip diffusion textile demo

lint: $(VENV)/.dev lint-js  ## check style, types and dead code
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy $(PACKAGES:%=-p %)
	$(PY) -m vulture $(PACKAGES)

TSC := tests/typescript/node_modules
$(TSC)/.installed: tests/typescript/package-lock.json
	cd tests/typescript && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

lint-js:  ## check the types of the page's scripts (TypeScript in tests/typescript; skipped where there is no Node.js)
	@if command -v node >/dev/null && command -v npm >/dev/null; then $(MAKE) --no-print-directory $(TSC)/.installed && $(TSC)/.bin/tsc --project tests/typescript; \
	elif [ -n "$$REQUIRE_NODE" ]; then echo "lint-js needs Node.js 18 or newer: on Debian, apt-get install nodejs npm"; exit 1; \
	else echo "lint-js skipped: there is no Node.js (on Debian, apt-get install nodejs npm)"; fi

CLIENTS := $(patsubst tests/clients/%.txt,.clients/%/.installed,$(wildcard tests/clients/*.txt))
clients: $(CLIENTS) tests/clients/node_modules/.installed  ## install other people's clients of the compatible APIs, each in an environment of its own, for `make test`

.clients/%/.installed: tests/clients/%.txt
	test -x .clients/$*/bin/python || $(PYTHON) -m venv .clients/$*
	.clients/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

tests/clients/node_modules/.installed: tests/clients/package-lock.json
	cd tests/clients && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

data: $(VENV)/.dev  ## export 2,000 drawn scenes as a Hugging Face imagefolder into data/scenes
	$(PY) -m fashion export data/scenes --count 2000 --seed 1

figures: $(VENV)/.dev  ## run the benchmarks that documents quote and write their figures (hours; FIGURES="korean reading": these alone)
	$(PY) -m benchmarks.figures run $(FIGURES)

bench: $(VENV)/.dev  ## print every benchmark's table (hours on two cores)
	@for name in shop_titles describing drawing latents optimizers reading scorers checkpoint pipeline ko_clip korean ablation baselines index search service page; do \
	  echo "== $$name"; $(PY) -m benchmarks.$$name || exit 1; done

gallery: $(VENV)/.run  ## draw the starter gallery again (after the weights changed)
	$(PY) -m demo gallery

word-pictures: $(VENV)/.run  ## draw the small pictures of words that the page offers again (after the lexicon or the renderer changed)
	$(PY) -m fashion word-pictures demo/web/static

screenshots: $(VENV)/.dev  ## take the README's screenshots again
	$(PY) -m benchmarks.screenshots

pool: $(VENV)/.dev  ## draw the pictures that training reads (15 GB in runs/pool)
	$(PY) -m fashion.pool $(RUNS)/pool --workers 2
	$(PY) -m fashion.pool $(RUNS)/pool --seed 9 --split held_out --count 2048 --workers 2
	$(PY) -m fashion.pool $(RUNS)/pool --size 512 --count 8192 --workers 2
	$(PY) -m fashion.pool $(RUNS)/pool --size 512 --seed 9 --split held_out --count 1024 --workers 2

train-embedded: pool  ## train VAE, CLIP, base, the scorer that rewards it and refiner, each for MINUTES (PRESET=cpu|gpu); run again to go on
	$(PY) -m diffusion.training.autoencoder --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m diffusion.training.autoencoder --stage refiner --pictures 8192 --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m ko_clip.contrastive --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m ko_clip.scene_reading --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m ko_clip.contrastive --lock-text --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m diffusion.training.base --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m fashion.scorer_training steering --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m diffusion.training.reward --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m diffusion.training.guidance --preset $(PRESET) --minutes $(MINUTES) --finish
	$(PY) -m fashion.setting --pool $(RUNS)/pool --scorer steering
	$(PY) -m diffusion.training.refiner --pictures 8192 --reward 0.3 --critic 2 --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m diffusion.training.manifest checkpoints

train-scorers: pool  ## train the two attribute scorers, each for MINUTES
	$(PY) -m fashion.scorer_training steering --preset $(PRESET) --minutes $(MINUTES)
	$(PY) -m fashion.scorer_training reporting --preset $(PRESET) --minutes $(MINUTES)

train-korean: $(VENV)/.dev  ## distil the Korean encoder that ships, for MINUTES
	$(PY) -m ko_clip.train --config ko_clip/config/small.yaml --minutes $(MINUTES) --finish
	$(PY) -m ko_clip.lexical --config ko_clip/config/small.yaml --encoder $(RUNS)/ko_clip/small/model

korean-sd15: $(VENV)/.dev  ## distil a Korean encoder for Stable Diffusion 1.5 and the refiner (models/, corpora/; a GPU; resumes)
	$(VENV)/bin/accelerate launch -m ko_clip.train --config ko_clip/config/sd15-sdxl.yaml

korean-sdxl: $(VENV)/.dev  ## the same for SDXL and its refiner
	$(VENV)/bin/accelerate launch -m ko_clip.train --config ko_clip/config/sdxl.yaml

clean:  ## remove what tests and builds left (never data/ or runs/)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
