// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A preload library that attaches nothing, for tests of `giantvm run` itself:
 * what the program's exit, signals and environment are must not depend on
 * paging.
 */
int nothing_is_attached;
