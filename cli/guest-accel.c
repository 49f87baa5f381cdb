// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which accelerator a guest over many hosts was asked to run with, and what
 * QEMU must be told for it.  Emulation unless -accel kvm was typed: it is the
 * same on every host, and nodes with different accelerators cannot meet.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "guest.h"
#include "text.h"

/*
 * KVM knows the vCPUs of one node.  What it would do for all of a guest's must
 * be off: its interrupt controllers, the services by which it helps a guest
 * that knows it (kvm=off: clock, steal time, interrupts, flushes, page faults),
 * and guests of the guest, whose page tables it would copy.
 */
static const char *const kvm_words[] = {
	"-machine", "kernel-irqchip=off",
	"-global", "driver=x86_64-cpu,property=kvm,value=off",
	"-global", "driver=x86_64-cpu,property=vmx,value=off",
	"-global", "driver=x86_64-cpu,property=svm,value=off",
	NULL
};

static bool is_option(const char *word, const char *option)
{
	if (word[0] == '-' && word[1] == '-')
		word++;
	return strcmp(word, option) == 0;
}

static bool is_kvm(const char *accel)
{
	return strcmp(accel, "kvm") == 0 || strncmp(accel, "kvm,", 4) == 0 ||
	       strcmp(accel, "accel=kvm") == 0 ||
	       strncmp(accel, "accel=kvm,", 10) == 0;
}

const char *const *gvm_guest_accel_words(const struct gvm_guest_run *run)
{
	for (char **word = run->argv; word[0] && word[1]; word++)
		if (is_option(word[0], "-accel") && is_kvm(word[1]))
			return kvm_words;
	return NULL;
}

bool gvm_guest_accel_judge(const struct gvm_guest_run *run)
{
	const char *bad = NULL;

	for (char **word = run->argv; *word; word++) {
		if (is_option(*word, "-enable-kvm"))
			bad = *word;
		if (!word[1])
			break;
		if ((is_option(*word, "-machine") || is_option(*word, "-M")) &&
		    strstr(word[1], "accel="))
			bad = word[1];
		if (strstr(word[1], "kernel-irqchip=") &&
		    !strstr(word[1], "kernel-irqchip=off")) {
			gvm_complain("run: KVM's own interrupt controllers know the vCPUs of one node only: leave %s away",
				     strstr(word[1], "kernel-irqchip="));
			return false;
		}
	}
	if (bad)
		gvm_complain("run: choose the accelerator by -accel kvm or -accel tcg,thread=multi, instead of %s",
			     bad);
	return !bad;
}

bool gvm_guest_accel_there(const struct gvm_guest_run *run)
{
	const struct gvm_ask ask = { 0 };
	struct gvm_finding f = { 0 };

	if (!gvm_guest_accel_words(run))
		return true;
	gvm_check_kvm(&ask, &f);
	if (f.level == GVM_LEVEL_OK)
		return true;
	gvm_complain("run: this node cannot run a guest with -accel kvm: %s; mend it, or use -accel tcg,thread=multi on all nodes%s%s",
		     f.what, f.mend[0] ? "; to mend: " : "", f.mend);
	return false;
}
