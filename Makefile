# A short front for meson and the tools.  `make help` lists what there is.
BUILD ?= build

.PHONY: all plugin check test test-fullshare litmus model explore demo demo-shared demo-fullshare bench test-kvm install clean help

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@tools/setup --check build
	@meson setup $(BUILD) >/dev/null

help:
	@echo 'make            build into ./$(BUILD)'
	@echo 'make demo       a Linux guest with four times the RAM that its host gives it'
	@echo 'make demo-shared  one computation on several hosts that share memory'
	@echo 'make demo-fullshare  one Linux guest on the processors of two hosts'
	@echo 'make test       install what is missing, build four ways, run all tests'
	@echo 'make check      the quick tests of ./$(BUILD), for every day'
	@echo 'make test-fullshare  guests on several nodes, at length (an hour or two; as root)'
	@echo 'make litmus     shared regions on real processes, at length (hours; as root)'
	@echo 'make model      the protocol of shared regions, model-checked at length (an hour)'
	@echo 'make explore    its C code through every interleaving of small worlds (half an hour)'
	@echo 'make test-kvm   real KVM inside an emulated machine (half an hour to an hour)'
	@echo 'make bench      every figure beside its floor or peer (10 to 20 minutes)'
	@echo 'make install    install under the prefix (default /usr/local)'
	@echo 'make clean      remove the build folders'

check: all
	@meson test -C $(BUILD) --no-rebuild --no-suite guest \
		--no-suite long --no-suite programs --no-suite bench --no-suite rss \
		--no-suite model --no-suite mutants

test:
	@tools/setup test
	@tools/run-tests

# At the end 50 boots in a row.
test-fullshare:
	@tools/setup guests
	@$(MAKE) --no-print-directory plugin
	@meson test -C $(BUILD) --no-rebuild --suite fullshare --print-errorlogs
	@tests/fullshare/soak $(BUILD) 50

litmus: all
	@tests/litmus/run-long $(BUILD)

model:
	@tests/model/run mistakes
	@tests/model/run full

explore: all
	@$(BUILD)/tests/explore/explore --long

demo:
	@tools/setup demo
	@$(MAKE) --no-print-directory all
	@demo/run $(BUILD)

demo-shared:
	@tools/setup build
	@$(MAKE) --no-print-directory all
	@examples/heat/run $(BUILD)

demo-fullshare:
	@tools/setup fullshare
	@$(MAKE) --no-print-directory plugin
	@demo/fullshare $(BUILD)

# QEMU's headers are what the plugin is built against; meson looks for them
# when it configures.
plugin:
	@qemu/headers > /dev/null
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@test -e $(BUILD)/qemu/giantvm-vcpu.so || meson setup --reconfigure $(BUILD) > /dev/null
	@$(MAKE) --no-print-directory all
	@test -e $(BUILD)/qemu/giantvm-vcpu.so

# Real KVM, in an emulated machine.
test-kvm:
	@tools/setup demo
	@$(MAKE) --no-print-directory all
	@tests/kvm/run $(BUILD)
	@$(MAKE) --no-print-directory plugin
	@tests/kvm/run-fullshare $(BUILD)

# Best as root: the swap peer needs a loop device.
bench:
	@tools/setup bench
	@$(MAKE) --no-print-directory all
	@bench/run --build $(BUILD)

install: all
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-gcc build-clang build-asan-ubsan build-tsan
