// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin that looks into QEMU must meet the QEMU whose headers it was built
 * with: another layout of a structure would corrupt the guest without a word.
 * So the version must be the same to the letter, and structures that we use
 * must have the size that we know.  Where QEMU cannot be asked for sizes (10.0), the
 * objects of the machine are looked at instead, as soon as there are any.
 */
#include <malloc.h>

#include "vcpu.h"

#define HEAP_SLACK	32u	/* that malloc may give besides */

static const struct {
	const char	*type;
	long		size;
} layout[] = {
	{ "qemu64-x86_64-cpu", sizeof(X86CPU) },
	{ TYPE_APIC_COMMON, sizeof(APICCommonState) },
	{ TYPE_MEMORY_REGION, sizeof(MemoryRegion) },
	{ TYPE_X86_MACHINE, sizeof(X86MachineState) },
};

int gvm_guard(void)
{
	g_autoptr(VersionInfo) v = qmp_query_version(NULL);

	if (strcmp(v->package, GVM_QEMU_PACKAGE) != 0) {
		gvm_say("this QEMU is \"%s\", but giantvm-vcpu.so was built for \"%s\"; install that QEMU, or build giantvm again (qemu/headers gets what it needs)",
			v->package, GVM_QEMU_PACKAGE);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(layout); i++) {
		long size = shim_instance_size(layout[i].type);

		if (size >= 0 && size != layout[i].size) {
			gvm_say("this QEMU has %ld bytes in %s, but giantvm-vcpu.so was built for %ld; build giantvm again against its source",
				size, layout[i].type, layout[i].size);
			return -1;
		}
	}
	return 0;
}

static void must_have(const char *what, const void *object, size_t bytes)
{
	void *ours = g_malloc(bytes);
	size_t size = malloc_usable_size(ours);
	size_t there = malloc_usable_size((void *)(uintptr_t)object);

	g_free(ours);
	if (there + HEAP_SLACK < size || there > size + HEAP_SLACK)
		gvm_die("this QEMU has some %zu bytes in a %s, but giantvm-vcpu.so was built for %zu; build giantvm again against its source",
			there, what, bytes);
}

void gvm_guard_objects(void)
{
	must_have("vCPU", X86_CPU(first_cpu), sizeof(X86CPU));
	must_have("local APIC", gvm_apic(first_cpu), sizeof(APICCommonState));
	must_have("machine", current_machine, sizeof(PCMachineState));
}
