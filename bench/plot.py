# SPDX-License-Identifier: GPL-2.0-or-later
"""Latency distributions as one SVG file: share of samples below a latency.

The x axis is logarithmic: what matters in a latency is its factor.  Written
by hand, because a plot is not worth a dependency.
"""

import math

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 40, 50
COLOURS = ("#888888", "#c44e52", "#4c72b0", "#55a868", "#8172b2")


def text(x, y, words, anchor="middle"):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{words}</text>')


def line(x1, y1, x2, y2):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            'stroke="#dddddd"/>')


def shares(pairs):
    """[us, count] pairs to (us, share of samples up to it)."""
    total, seen, points = sum(n for _, n in pairs), 0, []
    for us, n in pairs:
        points.append((us, seen / total))
        seen += n
    return points + [(pairs[-1][0] * 1.09, 1.0)]


def latency_svg(title, series):
    """series: a dictionary of name to [[us, count], ...]."""
    lo = min(p[0][0] for p in series.values() if p) or 0.01
    hi = max(p[-1][0] for p in series.values() if p) * 1.1
    span = math.log10(hi / lo)

    def px(us):
        return LEFT + math.log10(max(us, lo) / lo) / span * (
            WIDTH - LEFT - RIGHT)

    def py(share):
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{HEIGHT}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           text(WIDTH / 2, 22, title)]
    for power in range(math.ceil(math.log10(lo)),
                       math.floor(math.log10(hi)) + 1):
        x = px(10 ** power)
        out.append(line(x, TOP, x, HEIGHT - BOTTOM))
        out.append(text(x, HEIGHT - BOTTOM + 16, f"{10 ** power:g} us"))
    for share in (0, 0.25, 0.5, 0.75, 0.99):
        out.append(line(LEFT, py(share), WIDTH - RIGHT, py(share)))
        out.append(text(LEFT - 6, py(share) + 4, f"{share:.0%}", "end"))
    for i, (name, pairs) in enumerate(series.items()):
        if not pairs:
            continue
        colour = COLOURS[i % len(COLOURS)]
        points = " ".join(f"{px(x):.1f},{py(y):.1f}"
                          for x, y in shares(pairs))
        out.append(f'<polyline points="{points}" fill="none" '
                   f'stroke="{colour}" stroke-width="2"/>')
        out.append(f'<g fill="{colour}">'
                   + text(WIDTH - RIGHT - 8, HEIGHT - BOTTOM - 12 - 16 * i,
                          name, "end") + "</g>")
    out.append("</svg>")
    return "\n".join(out) + "\n"
