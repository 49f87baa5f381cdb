// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fuzz target without libFuzzer: runs it on good messages, on those with
 * changes made by chance (the same on every machine), and on files.
 *
 *	fuzz-X			the built-in rounds
 *	fuzz-X FILE...		these inputs, for a crash that was found
 *	fuzz-X --seeds FOLDER	write the good messages, to start a fuzzer with
 */
#include <string.h>

#include "fuzz.h"

#define ROUNDS		20000u
#define INPUT_MAX	(4u * 8192u)

static u8 input[INPUT_MAX];
static u8 message[MESSAGE_BYTES_MAX];

/* A choice byte and a few messages, one after the other. */
static u32 make_input(u64 *seed, u32 messages)
{
	u32 len = 1;

	input[0] = (u8)chance(seed);
	while (messages--) {
		u16 type = (u16)(chance(seed) % GVM_MSG_TYPE_NR);
		u32 bytes = message_make(type, message);

		if (len + bytes > INPUT_MAX)
			break;
		memcpy(input + len, message, bytes);
		len += bytes;
	}
	return len;
}

static void change(u64 *seed, u32 len)
{
	for (u32 n = (u32)(chance(seed) % 4); n; n--) {
		u32 at = (u32)(chance(seed) % len);

		switch (chance(seed) % 3) {
		case 0:
			input[at] ^= (u8)(1u << chance(seed) % 8);
			break;
		case 1:
			input[at] = (u8)chance(seed);
			break;
		default:
			input[at] = chance(seed) % 2 ? 0xff : 0;
		}
	}
}

static void run(const u8 *bytes, u32 len)
{
	u8 *exact = malloc(len ? len : 1);

	MUST(exact);
	memcpy(exact, bytes, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static void run_rounds(void)
{
	u64 seed = 4;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 len = make_input(&seed, (u32)(chance(&seed) % 6));

		if (i % 4)
			change(&seed, len);
		if (i % 8 == 7)
			len = (u32)(chance(&seed) % len);
		run(input, len);
	}
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 len = (u32)(chance(&seed) % 600);

		for (u32 k = 0; k < len; k++)
			input[k] = (u8)chance(&seed);
		run(input, len);
	}
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	MUST(file);
	len = fread(input, 1, sizeof(input), file);
	fclose(file);
	run(input, (u32)len);
}

static void write_seeds(const char *folder)
{
	for (u16 type = 1; type < GVM_MSG_TYPE_NR; type++) {
		u32 len = message_make(type, message);
		char path[4096];
		FILE *file;

		if (!len)
			continue;
		snprintf(path, sizeof(path), "%s/message-%u", folder, type);
		file = fopen(path, "wb");
		MUST(file);
		fputc(0, file);
		MUST(fwrite(message, 1, len, file) == len);
		MUST(!fclose(file));
		/* The payload alone, under a header of its type. */
		snprintf(path, sizeof(path), "%s/payload-%u", folder, type);
		file = fopen(path, "wb");
		MUST(file);
		fputc(type, file);
		len -= (u32)sizeof(struct gvm_msg);
		MUST(fwrite(message + sizeof(struct gvm_msg), 1, len, file) ==
		     len);
		MUST(!fclose(file));
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--seeds")) {
		write_seeds(argv[2]);
		return 0;
	}
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1)
		run_rounds();
	return 0;
}
