// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest on several nodes under KVM.
 *
 * Each node's KVM has a virtual machine of its own, with the vCPUs of that node
 * only.  So nothing may be left to it that concerns all vCPUs: interrupt
 * controllers are QEMU's, and all that KVM would do for its guests behind
 * QEMU's back (clocks, interrupts, flushes and waiting of its own making) is
 * switched off.  A shadow is unknown to KVM: nobody asks for its registers.
 *
 * Memory needs nothing here: the processor's second page tables follow the
 * process's.  But pages that KVM has read and write-protected, to build other
 * tables from them, would not: a host without nested paging is refused, and
 * so is a guest that wants to be a host itself.
 */
#include "accel.h"

static void (*create_vcpu_thread)(CPUState *cpu);
static void (*synchronize_post_reset)(CPUState *cpu);
static void (*synchronize_post_init)(CPUState *cpu);
static void (*synchronize_state)(CPUState *cpu);
static void (*synchronize_pre_loadvm)(CPUState *cpu);

static void post_reset(CPUState *cpu)
{
	if (gvm_mine(cpu))
		synchronize_post_reset(cpu);
}

static void post_init(CPUState *cpu)
{
	if (gvm_mine(cpu))
		synchronize_post_init(cpu);
}

static void state(CPUState *cpu)
{
	if (gvm_mine(cpu))
		synchronize_state(cpu);
}

static void pre_loadvm(CPUState *cpu)
{
	if (gvm_mine(cpu))
		synchronize_pre_loadvm(cpu);
}

/* In that vCPU's thread.  To fetch the registers takes a pending INIT away. */
static void start_up(CPUState *cpu, run_on_cpu_data data)
{
	bool init = cpu->interrupt_request & CPU_INTERRUPT_INIT;

	cpu_synchronize_state(cpu);
	if (init)
		do_cpu_init(X86_CPU(cpu));
	do_cpu_sipi(X86_CPU(cpu));
}

/*
 * What QEMU does for an accelerator that has nothing better; but a SIPI, which
 * QEMU 7.2 never takes back under KVM, must not become a request: the vCPU
 * would spin at its next HLT, and hold the BQL for ever.
 */
static void handle_interrupt(CPUState *cpu, int mask)
{
	if (mask & CPU_INTERRUPT_SIPI) {
		async_run_on_cpu(cpu, start_up, RUN_ON_CPU_NULL);
		mask &= ~CPU_INTERRUPT_SIPI;
		if (!mask)
			return;
	}
	cpu->interrupt_request |= mask;
	if (!qemu_cpu_is_self(cpu))
		qemu_cpu_kick(cpu);
}

static void create(CPUState *cpu)
{
	create_vcpu_thread(cpu);
}

/* Locked operations of any kind are the processor's: nothing to do for them. */
static void hook(AccelOpsClass *ops)
{
	create_vcpu_thread = ops->create_vcpu_thread;
	synchronize_post_reset = ops->synchronize_post_reset;
	synchronize_post_init = ops->synchronize_post_init;
	synchronize_state = ops->synchronize_state;
	synchronize_pre_loadvm = ops->synchronize_pre_loadvm;
	ops->synchronize_post_reset = post_reset;
	ops->synchronize_post_init = post_init;
	ops->synchronize_state = state;
	ops->synchronize_pre_loadvm = pre_loadvm;
	if (!ops->handle_interrupt)
		ops->handle_interrupt = handle_interrupt;
}

/* No vCPU of KVM's; "dirty": QEMU's copy of the registers is all there is. */
static void shadow(CPUState *cpu)
{
	cpu->kvm_fd = -1;
	cpu->vcpu_dirty = true;
}

static bool file_says(const char *path, const char *word)
{
	g_autofree char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) &&
	       strstr(text, word);
}

static const char *unfit(void)
{
	if (kvm_irqchip_in_kernel())
		return "KVM's own interrupt controllers know the vCPUs of one node only; use -accel kvm,kernel-irqchip=off";
	if (!kvm_check_extension(kvm_state, KVM_CAP_VCPU_ATTRIBUTES))
		return "this host's KVM cannot set the time-stamp counters of its vCPUs; that takes Linux 5.16 or later";
	if (file_says("/sys/module/kvm_intel/parameters/ept", "N") ||
	    file_says("/sys/module/kvm_amd/parameters/npt", "N") ||
	    file_says("/sys/module/kvm_amd/parameters/npt", "0"))
		return "this host's KVM works without nested paging and would not notice what other nodes write; load kvm_intel with ept=1, or kvm_amd with npt=1";
	if (!file_says("/sys/devices/system/clocksource/clocksource0/available_clocksource",
		       "tsc"))
		return "this host's time-stamp counter is not reliable (no tsc in available_clocksource), and the guest would see it; use -accel tcg,thread=multi on all nodes";
	/* Its clock is read per virtual machine; so must it not even exist. */
	PC_MACHINE_GET_CLASS(current_machine)->kvmclock_create_always = false;
	return NULL;
}

/* giantvm run has switched it all off, but -cpu may say otherwise. */
static const char *start(void)
{
	const X86CPU *cpu = X86_CPU(first_cpu);
	const CPUX86State *env = &cpu->env;

	if (env->features[FEAT_KVM])
		return "the guest would ask its node's KVM for services (clock, interrupts, flushes) that reach no other node; leave kvm=on and +kvm-... away from -cpu";
	if (cpu->hyperv_features || cpu->hyperv_enforce_cpuid)
		return "Hyper-V services of KVM reach no other node; leave hv-... away from -cpu";
	if (env->features[FEAT_1_ECX] & CPUID_EXT_VMX ||
	    env->features[FEAT_8000_0001_ECX] & CPUID_EXT3_SVM)
		return "a guest on several nodes cannot have guests itself under KVM; leave +vmx and +svm away from -cpu";
	gvm_kvm_tsc_start();
	return NULL;
}

const struct gvm_accel gvm_accel_kvm = {
	.name = "kvm",
	.ops = "kvm-accel-ops",
	.unfit = unfit,
	.hook = hook,
	.create = create,
	.start = start,
	.shadow = shadow,
	.take_tsc = gvm_kvm_tsc_take,
};
