# A short front for meson.  `make help` lists what there is.
BUILD ?= build

.PHONY: all test demo bench install clean help

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@meson setup $(BUILD) >/dev/null

clean:
	rm -rf $(BUILD)

# Real KVM, in an emulated machine: 10 to 20 minutes.
.PHONY: test-kvm
test-kvm: all
	@tests/kvm/run $(BUILD)

# Every figure beside its floor or peer: 10 to 20 minutes, best as root.
bench: all
	@bench/run --build $(BUILD)
