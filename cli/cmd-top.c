// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `giantvm top`: the terminal, the clock and the keys.  What is shown comes
 * from top-sample.c and top-draw.c; with --batch it is printed instead.
 */
#include <errno.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "canvas.h"
#include "command.h"
#include "commands.h"
#include "symbols.h"
#include "text.h"
#include "top.h"

#define KEY_ESCAPE	27
#define ESCAPE_WAIT_MS	50	/* longer, and it was the key itself */
#define BATCH_COLS	80u
#define BATCH_ROWS	24u

static const char usage[] =
"Usage: giantvm top [--delay SECONDS] [--batch N] [--hot] [--symbols FILE]\n"
"Watch the programs that run under giantvm, shared regions, and guests.\n"
"\n"
"  --delay SECONDS   time between two looks, 0.1 to 60 (default 1)\n"
"  --batch N         print N looks instead of using the terminal\n"
"  --hot             begin with the pages that move most between nodes\n"
"  --symbols FILE    and what is there, by the guest's /proc/kallsyms\n"
"  --help            show this help\n"
"\n"
"Keys: q quit, arrows choose, s sort, p pages, h help.\n";

static struct gvm_canvas canvas;

static chtype style_attributes(unsigned char style)
{
	switch (style) {
	case GVM_STYLE_TITLE:
		return A_BOLD;
	case GVM_STYLE_CHOSEN:
		return A_REVERSE;
	case GVM_STYLE_GOOD:
	case GVM_STYLE_COLD:
	case GVM_STYLE_BAD:
		return has_colors() ? (chtype)COLOR_PAIR(style) : A_BOLD;
	default:
		return A_NORMAL;
	}
}

static void show(void)
{
	for (unsigned y = 0; y < canvas.rows; y++) {
		for (unsigned x = 0; x < canvas.cols; x++)
			mvaddch((int)y, (int)x,
				(chtype)(unsigned char)canvas.text[y][x] |
				style_attributes(canvas.style[y][x]));
	}
	refresh();
}

static void choose(struct gvm_top *t, int step)
{
	int at = gvm_top_chosen(t) + step;

	if (at < 0 || at >= t->rows_nr)
		return;
	t->chosen = t->rows[at].now.pid;
	t->chosen_ns = t->rows[at].now.start_ns;
}

/* False: leave. */
static bool key(struct gvm_top *t, int c)
{
	switch (c) {
	case 'q':
	case KEY_ESCAPE:
		return false;
	case KEY_UP:
	case 'k':
		choose(t, -1);
		break;
	case KEY_DOWN:
	case 'j':
		choose(t, 1);
		break;
	case 's':
		t->sort = (t->sort + 1) % GVM_TOP_SORT_NR;
		gvm_top_sort(t);
		break;
	case 'p':
		t->hot = !t->hot;
		break;
	case 'h':
	case '?':
		t->help = !t->help;
		break;
	}
	return true;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static SCREEN *open_screen(void)
{
	/* Not initscr(): it ends the program where the terminal is unknown. */
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		return NULL;
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(ESCAPE_WAIT_MS);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(GVM_STYLE_GOOD, COLOR_GREEN, -1);
		init_pair(GVM_STYLE_COLD, COLOR_CYAN, -1);
		init_pair(GVM_STYLE_BAD, COLOR_RED, -1);
	}
	return screen;
}

static int watch(struct gvm_top *t, int delay_ms)
{
	SCREEN *screen = open_screen();
	int64_t due = now_ms();
	int err = 0;
	int c;

	if (!screen)
		return -ENOTTY;
	do {
		int64_t left = due - now_ms();

		if (left <= 0) {
			err = gvm_top_sample(t);
			if (err)
				break;
			gvm_top_sort(t);
			left = delay_ms;
			due = now_ms() + delay_ms;
		}
		gvm_canvas_clear(&canvas, (unsigned)LINES, (unsigned)COLS);
		gvm_top_draw(t, &canvas);
		show();
		timeout((int)left);
		c = getch();	/* KEY_RESIZE: LINES and COLS are new */
	} while (key(t, c));
	endwin();
	delscreen(screen);
	return err;
}

static int print_batch(struct gvm_top *t, int delay_ms, uint64_t looks)
{
	struct timespec delay = {
		.tv_sec = delay_ms / 1000,
		.tv_nsec = delay_ms % 1000 * 1000000L,
	};
	int err;

	for (uint64_t i = 0; i < looks; i++) {
		if (i)
			nanosleep(&delay, NULL);
		err = gvm_top_sample(t);
		if (err)
			return err;
		gvm_top_sort(t);
		gvm_canvas_clear(&canvas, BATCH_ROWS, BATCH_COLS);
		gvm_top_draw(t, &canvas);
		gvm_canvas_print(&canvas, stdout);
		if (fflush(stdout))
			return -errno;
	}
	return 0;
}

static bool parse_delay(const char *text, int *ret_ms)
{
	char *end;
	double s = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end || !(s >= 0.1 && s <= 60)) {
		gvm_complain("top: --delay '%s' is not a number of seconds from 0.1 to 60",
			     text);
		return false;
	}
	*ret_ms = (int)(s * 1000);
	return true;
}

static int run(int delay_ms, uint64_t looks, bool hot, const char *symbols)
{
	struct gvm_top t = { .hot = hot };
	int err;

	if (!looks && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		gvm_complain("top: this is not a terminal; use --batch 2, or 'giantvm stat'");
		return GVM_EXIT_USAGE;
	}
	if (symbols) {
		t.symbols = gvm_symbols_read("top", symbols);
		if (!t.symbols)
			return GVM_EXIT_FAIL;
	}
	err = looks ? print_batch(&t, delay_ms, looks) : watch(&t, delay_ms);
	gvm_top_fini(&t);
	if (!err)
		return GVM_EXIT_OK;
	if (err == -ENOTTY)
		gvm_complain("top: the terminal type in $TERM is not known; try TERM=xterm");
	else
		gvm_complain("top: cannot list the processes: %s", strerror(-err));
	return GVM_EXIT_FAIL;
}

int gvm_cmd_top(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "batch", required_argument, NULL, 'b' },
		{ "hot", no_argument, NULL, 'H' },
		{ "symbols", required_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	const char *symbols = NULL;
	uint64_t looks = 0;
	bool hot = false;
	int delay_ms = 1000;
	int c;

	while ((c = gvm_getopt(argc, argv, "h", options)) != -1) {
		switch (c) {
		case 'd':
			if (!parse_delay(optarg, &delay_ms))
				return GVM_EXIT_USAGE;
			break;
		case 'b':
			if (!gvm_number(argv[0], "--batch", optarg, 1,
					1000000, &looks))
				return GVM_EXIT_USAGE;
			break;
		case 'H':
			hot = true;
			break;
		case 'y':
			symbols = optarg;
			hot = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return GVM_EXIT_OK;
		default:
			return GVM_EXIT_USAGE;
		}
	}
	if (optind < argc)
		return gvm_surplus(argv[0], argv[optind]);
	return run(delay_ms, looks, hot, symbols);
}
