// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From text to keys and values.  The library (libinih) knows comments, blanks,
 * keys and lines that continue others; what it is too generous with is refused
 * here before it sees it: long lines, which it would cut, bytes that are no
 * text, sections, which it does not announce, and words that are not a key.
 */
#include <errno.h>
#include <ini.h>
#include <string.h>

#include "parse.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* First byte that no text file has, or end.  UTF-8 is fine, in comments. */
static const char *find_junk(const char *from, const char *end)
{
	while (from < end && ((unsigned char)*from >= ' ' || *from == '\t') &&
	       *from != 0x7f)
		from++;
	return from;
}

/* Cut the next line out of the text, without its end. */
static const char *next_line(struct gvm_parse *p, const char **ret_end)
{
	static const char mark[] = "\xef\xbb\xbf";	/* of some editors */
	const char *from = p->at;
	const char *end = memchr(from, '\n', (size_t)(p->end - from));

	p->at = end ? end + 1 : p->end;
	if (!end)
		end = p->end;
	if (!p->line++ && end - from >= 3 && !memcmp(from, mark, 3))
		from += 3;
	if (end > from && end[-1] == '\r')
		end--;
	while (end > from && is_blank(end[-1]))
		end--;
	*ret_end = end;
	return from;
}

/*
 * An indented key is a key; what continues the line above is indented and has
 * no '='.  The library would take both for continued lines.
 */
static const char *unindent(struct gvm_parse *p, const char *from,
			    const char *end)
{
	const char *word = from;

	while (word < end && is_blank(*word))
		word++;
	p->indented = word > from && word < end && *word != '[' &&
		      !memchr(word, '=', (size_t)(end - word));
	return p->indented ? from : word;
}

static bool owes(const char *line)
{
	line += strspn(line, " \t");
	return *line && !strchr(";#[", *line);
}

/* The library read a line and made nothing of it. */
static int check_owed(struct gvm_parse *p)
{
	if (!p->owed)
		return p->err;
	return gvm_parse_fail(p, p->line, "this is neither [SECTION] nor KEY = VALUE; begin a comment with #");
}

/* The library's idea of fgets(). */
static char *read_line(char *to, int room, void *arg)
{
	struct gvm_parse *p = arg;
	const char *from, *end, *junk;

	if (check_owed(p) || p->at == p->end)
		return NULL;
	from = next_line(p, &end);
	junk = find_junk(from, end);
	if (junk < end) {
		gvm_parse_fail(p, p->line, "byte 0x%02x in column %zu is not text; is this a cluster.conf?",
			       (unsigned char)*junk, (size_t)(junk - from) + 1);
		return NULL;
	}
	from = unindent(p, from, end);
	if (end - from > GVM_PARSE_LINE_MAX || end - from >= room - 1) {
		gvm_parse_fail(p, p->line, "the line has more than %u characters; continue a list on the next line, indented",
			       GVM_PARSE_LINE_MAX);
		return NULL;
	}
	memcpy(to, from, (size_t)(end - from));
	to[end - from] = '\0';
	p->owed = owes(to);
	if (*to == '[' && gvm_parse_section_begin(p, to))
		return NULL;
	return to;
}

bool gvm_parse_plain(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return !*text;
}

static int handle(void *arg, const char *section, const char *name,
		  const char *value)
{
	struct gvm_parse *p = arg;

	(void)section;		/* cut by the library; ours is p->section */
	p->owed = false;
	if (!gvm_parse_plain(name) || !gvm_parse_plain(value))
		gvm_parse_fail(p, p->line, GVM_PARSE_NOT_PLAIN);
	else
		gvm_parse_key(p, name, value);
	return !p->err;
}

int gvm_parse_lines(struct gvm_parse *p)
{
	if (ini_parse_stream(read_line, p, handle, p) == -2)
		return gvm_parse_fail_memory(p);
	if (check_owed(p))
		return p->err;
	return gvm_parse_section_end(p);
}
