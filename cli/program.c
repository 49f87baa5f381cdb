// SPDX-License-Identifier: GPL-2.0-or-later
/* Can a library be preloaded into this program?  See program.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "find.h"
#include "program.h"
#include "text.h"

#define SCRIPTS_MAX	4	/* #! of a #! of ...; the kernel's own limit */

#if defined(__x86_64__)
#define MACHINE		EM_X86_64
#define MACHINE_NAME	"x86-64"
#elif defined(__aarch64__)
#define MACHINE		EM_AARCH64
#define MACHINE_NAME	"aarch64"
#endif

/* A file in memory. */
struct image {
	const unsigned char	*at;
	size_t			bytes;
};

/* [off, off + len) of the image, or NULL: a file may claim anything. */
static const void *part(const struct image *im, uint64_t off, uint64_t len)
{
	if (off > im->bytes || len > im->bytes - off)
		return NULL;
	return im->at + off;
}

static const char *text_at(const struct image *im, uint64_t off)
{
	const char *s = part(im, off, 1);

	return s && memchr(s, '\0', im->bytes - off) ? s : NULL;
}

static int open_image(const char *path, struct image *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *at;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		err = -ENOEXEC;
	at = err ? NULL : mmap(NULL, (size_t)st.st_size, PROT_READ,
			       MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		err = -errno;
	close(fd);
	if (err)
		return err;
	ret->at = at;
	ret->bytes = (size_t)st.st_size;
	return 0;
}

static const Elf64_Phdr *find_segment(const struct image *im, uint32_t type)
{
	const Elf64_Ehdr *eh = part(im, 0, sizeof(*eh));

	for (unsigned i = 0; eh && i < eh->e_phnum; i++) {
		const Elf64_Phdr *ph = part(im, eh->e_phoff +
					    i * sizeof(*ph), sizeof(*ph));

		if (!ph)
			return NULL;
		if (ph->p_type == type)
			return ph;
	}
	return NULL;
}

/* Where an address of the program lies in its file; -1: nowhere. */
static int64_t file_offset(const struct image *im, uint64_t addr)
{
	const Elf64_Ehdr *eh = part(im, 0, sizeof(*eh));

	for (unsigned i = 0; eh && i < eh->e_phnum; i++) {
		const Elf64_Phdr *ph = part(im, eh->e_phoff +
					    i * sizeof(*ph), sizeof(*ph));

		if (!ph)
			return -1;
		if (ph->p_type == PT_LOAD && addr >= ph->p_vaddr &&
		    addr - ph->p_vaddr < ph->p_filesz)
			return (int64_t)(ph->p_offset + addr - ph->p_vaddr);
	}
	return -1;
}

static bool is_allocator(const char *library)
{
	return !strncmp(library, "libjemalloc", 11) ||
	       !strncmp(library, "libtcmalloc", 11) ||
	       !strncmp(library, "libmimalloc", 11);
}

static bool links_allocator(const struct image *im)
{
	const Elf64_Phdr *ph = find_segment(im, PT_DYNAMIC);
	const Elf64_Dyn *dyn = ph ? part(im, ph->p_offset, ph->p_filesz) : NULL;
	size_t nr = dyn ? ph->p_filesz / sizeof(*dyn) : 0;
	int64_t strings = -1;

	for (size_t i = 0; i < nr; i++) {
		if (dyn[i].d_tag == DT_STRTAB)
			strings = file_offset(im, dyn[i].d_un.d_ptr);
	}
	for (size_t i = 0; i < nr && strings >= 0; i++) {
		const char *name;

		if (dyn[i].d_tag != DT_NEEDED)
			continue;
		name = text_at(im, (uint64_t)strings + dyn[i].d_un.d_val);
		if (name && is_allocator(name))
			return true;
	}
	return false;
}

/*
 * "#!/path arg": the path, or NULL if it is no script.  "#!/usr/bin/env arg":
 * where arg is found.
 */
static const char *interpreter(const struct image *im, char line[4096])
{
	size_t len = im->bytes < 255 ? im->bytes : 255;
	char *path, *arg, *rest;

	if (len < 3 || memcmp(im->at, "#!", 2) != 0)
		return NULL;
	memcpy(line, im->at + 2, len - 2);
	line[len - 2] = '\0';
	line[strcspn(line, "\n")] = '\0';
	path = strtok_r(line, " \t", &rest);
	arg = path ? strtok_r(NULL, " \t", &rest) : NULL;
	if (arg && !strcmp(path, "/usr/bin/env")) {
		char name[256];

		snprintf(name, sizeof(name), "%s", arg);
		if (gvm_find_program(name, line, 4096) == 0)
			return line;
	}
	return path;
}

/* Would the kernel start it in secure execution, which ignores preloads? */
static const char *why_secure(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "setuid";
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    st.st_gid != getgid())
		return "setgid";
	if (getuid() != 0 &&
	    getxattr(path, "security.capability", NULL, 0) > 0)
		return "marked with file capabilities";
	return NULL;
}

/* NULL if the loader will preload into it, else what it is. */
static const char *why_not_elf(const struct image *im)
{
	const Elf64_Ehdr *eh = part(im, 0, sizeof(*eh));
	const Elf64_Phdr *ph;
	const char *loader;

	if (im->bytes < EI_NIDENT || memcmp(im->at, ELFMAG, SELFMAG) != 0)
		return "is neither a program nor a script (a script begins with #!)";
	if (im->at[EI_CLASS] != ELFCLASS64)
		return "is a 32-bit program; only 64-bit ones can be paged";
	if (!eh || eh->e_machine != MACHINE ||
	    eh->e_phentsize != sizeof(Elf64_Phdr))
		return "is not a program for " MACHINE_NAME;
	ph = find_segment(im, PT_INTERP);
	if (!ph)
		return "is statically linked, so nothing can be attached to it; use its dynamic build";
	loader = text_at(im, ph->p_offset);
	if (!loader || !strstr(loader, "ld-linux"))
		return "is built for another C library than glibc";
	return NULL;
}

static bool judge(const char *path, const struct image *im,
		  struct gvm_program *ret)
{
	const char *why = why_not_elf(im);
	char copy[4096];
	const char *name;

	if (why) {
		gvm_complain("run: %s %s", path, why);
		return false;
	}
	why = why_secure(path);
	if (why) {
		gvm_complain("run: %s is %s, so the system refuses to attach to it; run a copy without that, or be its owner",
			     path, why);
		return false;
	}
	snprintf(copy, sizeof(copy), "%s", path);
	name = basename(copy);
	ret->is_vmm = !strncmp(name, "qemu-system-", 12) ||
		      !strcmp(name, "qemu-kvm") || !strcmp(name, "kvm");
	ret->has_allocator = links_allocator(im);
	return true;
}

static bool complain_open(const char *path, int err)
{
	if (err == -EACCES)
		gvm_complain("run: %s may not be read, so it cannot be checked",
			     path);
	else
		gvm_complain("run: cannot read %s: %s", path, strerror(-err));
	return false;
}

bool gvm_program_check(const char *command, struct gvm_program *ret)
{
	int err = gvm_find_program(command, ret->path, sizeof(ret->path));
	char path[4096], line[4096];

	if (err) {
		gvm_complain(err == -EACCES ?
			     "run: %s may not be executed" :
			     "run: there is no program '%s'", command);
		return false;
	}
	snprintf(path, sizeof(path), "%s", ret->path);
	for (int i = 0; i <= SCRIPTS_MAX; i++) {
		const char *next;
		struct image im = { 0 };
		bool good = false;

		err = open_image(path, &im);
		if (err)
			return complain_open(path, err);
		next = interpreter(&im, line);
		if (next)
			snprintf(path, sizeof(path), "%s", next);
		else
			good = judge(path, &im, ret);
		munmap((void *)(uintptr_t)im.at, im.bytes);
		if (!next)
			return good;
	}
	gvm_complain("run: %s: scripts started by scripts, too deep", command);
	return false;
}
