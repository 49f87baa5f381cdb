// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which accelerator this QEMU runs with, and what TCG is like; KVM is in kvm.c.
 */
#include "accel.h"

const struct gvm_accel *gvm_accel;

static const char *tcg_unfit(void)
{
	if (qemu_tcg_mttcg_enabled() && !icount_enabled())
		return NULL;
	return "only emulation with a thread for each vCPU can run a guest on several nodes; use -accel tcg,thread=multi";
}

/* The guest's counter is its clock, at 1 GHz, whatever the hosts' do. */
static void tcg_hook(AccelOpsClass *ops)
{
	ops->get_elapsed_ticks = ops->get_virtual_clock ?
				 ops->get_virtual_clock : cpu_get_clock;
}

/* giantvm run has switched it off, but -cpu may say otherwise. */
static const char *tcg_start(void)
{
	if (X86_CPU(first_cpu)->env.features[FEAT_1_ECX] & CPUID_EXT_X2APIC)
		return "no node would see how another's local APIC is set in x2APIC mode; leave +x2apic away from -cpu";
	return NULL;
}

static const struct gvm_accel tcg = {
	.name = "tcg",
	.ops = "tcg-accel-ops",
	.translates = true,
	.unfit = tcg_unfit,
	.hook = tcg_hook,
	.create = gvm_loop_create,
	.start = tcg_start,
};

const char *gvm_accel_choose(void)
{
	if (tcg_enabled())
		gvm_accel = &tcg;
	else if (kvm_enabled())
		gvm_accel = &gvm_accel_kvm;
	else
		return "a guest on several nodes runs with -accel tcg,thread=multi or with -accel kvm";
	return gvm_accel->unfit();
}

static void mix(u64 *hash, u64 value)
{
	for (unsigned i = 0; i < 8; i++, value >>= 8)
		*hash = (*hash ^ (value & 0xff)) * 0x100000001b3ull;
}

/*
 * The same words of a command line make other processors on another host, where
 * they say "host" or ask for more than that host has.
 */
u64 gvm_accel_features(void)
{
	const CPUX86State *env = &X86_CPU(first_cpu)->env;
	u64 hash = 0xcbf29ce484222325ull;

	for (unsigned i = 0; i < FEATURE_WORDS; i++)
		mix(&hash, env->features[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(env->cpuid_model); i++)
		mix(&hash, env->cpuid_model[i]);
	mix(&hash, env->cpuid_vendor1);
	mix(&hash, env->cpuid_vendor2);
	mix(&hash, env->cpuid_vendor3);
	mix(&hash, env->cpuid_version);
	mix(&hash, env->cpuid_level);
	mix(&hash, env->cpuid_xlevel);
	mix(&hash, X86_CPU(first_cpu)->phys_bits);
	return hash;
}
