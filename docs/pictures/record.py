#!/usr/bin/env python3
"""Records `demo` as a picture of a terminal, and puts the same recording into README.md.

    docs/pictures/record.py PROGRAM        for example target/release/lookup-gitlab-sync

Each line appears when it did, with long waits cut short. Who prefers no motion sees the whole at once.
"""

import pathlib
import re
import subprocess
import sys
import time
import xml.sax.saxutils

COMMAND = "lookup-gitlab-sync demo"
LINE, SIZE, MARGIN = 19, 14, 18
LONGEST_WAIT = 1.5
COLUMNS = 100
HERE = pathlib.Path(__file__).resolve().parent
README = HERE.parent.parent / "README.md"

STYLE = """
  text { font: %dpx ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre; }
  .command { fill: #ffffff; font-weight: bold; }
  .heading { fill: #7cc7ff; }
  .good { fill: #8ce99a; }
  .line { animation: appear 0.01s both; }
  @keyframes appear { from { visibility: hidden; } to { visibility: visible; } }
  @media (prefers-reduced-motion: reduce) { .line { animation: none; } }
""" % SIZE


def record(program):
    """The lines of a demo, each with the seconds from the start at which it came."""
    started = time.monotonic()
    demo = subprocess.Popen([program, "demo"], stdout=subprocess.PIPE, text=True, env={"COLUMNS": str(COLUMNS)})
    lines = [(time.monotonic() - started, line.rstrip("\n")) for line in demo.stdout]
    if demo.wait() != 0:
        sys.exit(f"the demo ended with exit code {demo.returncode}")
    return lines


def without_long_waits(lines):
    shown, last, at = [], 0.0, 1.0
    for came, line in lines:
        at += min(came - last, LONGEST_WAIT)
        last = came
        shown.append((at, line))
    return shown


def kind(line):
    if re.match(r"\d\. ", line):
        return "heading"
    return "good" if line.startswith("Everything ended as expected") else "output"


def picture(lines):
    width = 2 * MARGIN + round(max(len(line) for _, line in lines) * SIZE * 0.602)
    height = 2 * MARGIN + LINE * (len(lines) + 2)
    rows = [(0.0, "command", f"$ {COMMAND}"), (0.0, "output", "")]
    rows += [(at, kind(line), line) for at, line in lines]
    drawn = [
        f'<text class="line {name}" style="animation-delay: {at:.2f}s" x="{MARGIN}" '
        f'y="{MARGIN + SIZE + LINE * number}" xml:space="preserve">{xml.sax.saxutils.escape(line)}</text>'
        for number, (at, name, line) in enumerate(rows)
        if line
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            "<title>A terminal that runs the demo</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{width}" height="{height}" rx="10" fill="#1b1f27"/>',
            *drawn,
            "</svg>\n",
        ]
    )


def into_readme(lines):
    block = "```\n" + "\n".join(line for _, line in lines).strip("\n") + "\n```"
    text = README.read_text()
    whole = re.compile(r"^```\n\d+ accounts in a simulated GitLab.*?^```$", re.M | re.S)
    text, found = whole.subn(lambda _: block, text)
    if found != 1:
        sys.exit(f"README.md shows the demo {found} times, expected once")
    README.write_text(text)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = without_long_waits(record(sys.argv[1]))
    while lines and not lines[0][1]:
        lines.pop(0)
    (HERE / "demo.svg").write_text(picture(lines))
    into_readme(lines)


if __name__ == "__main__":
    main()
