// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes a module of the core's objects, so that modpost looks at them. */
#include <linux/module.h>

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("giantvm's core, compiled only");
