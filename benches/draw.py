"""Curves as SVG pictures, by nothing but text."""

import html
import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 400, 80, 40, 190, 55
COLOURS = ["#0b6e4f", "#c8553d", "#33658a", "#8a6d00", "#6a4c93", "#555555"]


def ticks(top):
    """Round numbers from 0 to a little above the highest value."""
    step = 10 ** math.floor(math.log10(top / 4)) if top > 0 else 1
    step *= next(factor for factor in [1, 2, 5, 10] if top / (step * factor) <= 5)
    return [step * n for n in range(int(top / step) + 2)]


def label(value):
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


def curves(title, across, up, lines, even=False):
    """A picture of `lines`: name to a list of (x, y). `even`: all x at equal distances, for such as 1, 2, 4, 8."""
    places = sorted({x for points in lines.values() for x, _ in points})
    scale = ticks(max(y for points in lines.values() for _, y in points))
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(x, y):
        along = places.index(x) / max(1, len(places) - 1) if even else x / places[-1]
        return LEFT + wide * along, TOP + high * (1 - y / scale[-1])

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             f'<text x="{LEFT}" y="22" font-size="15" fill="#111111">{html.escape(title)}</text>']
    for tick in scale:
        _, y = at(places[0], tick)
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + wide}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#333333">{label(tick)}</text>')
    shown = -100
    for x in places:
        if at(x, 0)[0] < shown + 36: # the labels would lie on each other
            continue
        shown = at(x, 0)[0]
        parts.append(f'<text x="{shown:.1f}" y="{TOP + high + 18}" text-anchor="middle" fill="#333333">{label(x)}</text>')
    parts.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 12}" text-anchor="middle" fill="#111111">{html.escape(across)}</text>')
    parts.append(f'<text x="16" y="{TOP + high / 2}" text-anchor="middle" fill="#111111" '
                 f'transform="rotate(-90 16 {TOP + high / 2})">{html.escape(up)}</text>')
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        dots = [at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in dots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots]
        line = TOP + 14 + 20 * number
        parts.append(f'<rect x="{LEFT + wide + 16}" y="{line - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + wide + 32}" y="{line}" fill="#111111">{html.escape(name)}</text>')
    return "\n".join(parts) + "\n</svg>\n"
