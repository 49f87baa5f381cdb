// SPDX-License-Identifier: GPL-2.0-or-later
/* A program that nothing can be preloaded into. */
int main(void)
{
	return 0;
}
