// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where things are.  A build tree works without being installed: what lies
 * beside this program goes before what is installed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "find.h"

#define PATH_DEFAULT	"/usr/local/bin:/usr/bin:/bin"

static int is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The folder of this program with `tail` behind it; 0 if that is a file. */
static int beside_us(const char *tail, char *ret_path, size_t bytes)
{
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (len <= 0)
		return -ENOENT;
	exe[len] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	if ((size_t)snprintf(ret_path, bytes, "%s/%s", exe, tail) >= bytes)
		return -ENOENT;
	return is_file(ret_path) ? 0 : -ENOENT;
}

/* The first that is there; the last is where it would be installed. */
static int find_ours(const char *named, const char *const *beside,
		     const char *installed, char *ret_path, size_t bytes)
{
	char *real;

	if (named && *named) {
		snprintf(ret_path, bytes, "%s", named);
	} else {
		while (*beside && beside_us(*beside, ret_path, bytes) < 0)
			beside++;
		if (!*beside)
			snprintf(ret_path, bytes, "%s", installed);
	}
	if (!is_file(ret_path))
		return -ENOENT;
	/* Absolute: the program may be started in another folder. */
	real = realpath(ret_path, NULL);
	if (!real)
		return -ENOENT;
	snprintf(ret_path, bytes, "%s", real);
	free(real);
	return 0;
}

/* In the build tree, and under a prefix that was moved as a whole. */
int gvm_find_attach(char *ret_path, size_t bytes)
{
	static const char *const beside[] = {
		"../attach/libgiantvm-attach.so",
		"../" GVM_LIBDIR "/giantvm/libgiantvm-attach.so",
		NULL
	};

	return find_ours(getenv("GIANTVM_ATTACH"), beside, GVM_PREFIX "/"
			 GVM_LIBDIR "/giantvm/libgiantvm-attach.so", ret_path,
			 bytes);
}

int gvm_find_vcpu(char *ret_path, size_t bytes)
{
	static const char *const beside[] = {
		"../qemu/giantvm-vcpu.so",
		"../" GVM_LIBDIR "/giantvm/giantvm-vcpu.so",
		NULL
	};

	return find_ours(getenv("GIANTVM_VCPU"), beside, GVM_PREFIX "/"
			 GVM_LIBDIR "/giantvm/giantvm-vcpu.so", ret_path,
			 bytes);
}

int gvm_find_bench(char *ret_path, size_t bytes)
{
	static const char *const beside[] = {
		"../../bench/run",
		"../" GVM_LIBEXECDIR "/giantvm/bench/run",
		NULL
	};

	return find_ours(NULL, beside, GVM_PREFIX "/" GVM_LIBEXECDIR
			 "/giantvm/bench/run", ret_path, bytes);
}

int gvm_find_library(const char *name, char *ret_path, size_t bytes)
{
	static const char *const folders[] = {
		"/usr/local/lib", "/usr/lib/x86_64-linux-gnu",
		"/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
		"/usr/lib64", "/usr/lib",
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(ret_path, bytes, "%s/%s", folders[i], name);
		if (access(ret_path, R_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static int try_program(const char *path)
{
	if (!is_file(path))
		return -ENOENT;
	return access(path, X_OK) == 0 ? 0 : -EACCES;
}

int gvm_find_program(const char *name, char *ret_path, size_t bytes)
{
	const char *path = getenv("PATH");
	int result = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(ret_path, bytes, "%s", name);
		return try_program(ret_path);
	}
	if (!path || !*path)
		path = PATH_DEFAULT;
	while (*name) {
		size_t len = strcspn(path, ":");
		char here[4096];
		int err;

		/* An empty entry is the working directory. */
		snprintf(here, sizeof(here), "%.*s/%s", len ? (int)len : 1,
			 len ? path : ".", name);
		err = try_program(here);
		if (err == 0 || (err == -EACCES && result == -ENOENT)) {
			snprintf(ret_path, bytes, "%s", here);
			result = err;
		}
		if (err == 0 || !path[len])
			break;
		path += len + 1;
	}
	return result;
}
