"""The style sheet of the page, for light and dark."""

CSS = """\
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1f2430; --soft: #5a6272; --line: #d9dde5;
  --card: #f5f6f9; --good: #0a6847; --good-ground: #dff3ea;
  --new-ground: #f1f2f5; --trained-ground: #fdf1dc; --bad: #a8201a;
  --bad-ground: #fbe4e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171d; --text: #e6e8ee; --soft: #a3abba; --line: #343a46;
    --card: #1c2028; --good: #7fd6b1; --good-ground: #12312a;
    --new-ground: #20242d; --trained-ground: #3a2d14; --bad: #ff9d96;
    --bad-ground: #45191a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 56rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { max-width: 44rem; margin: .5rem 0 1rem; }
.lead { font-size: 1.15rem; }
.soft, caption, small { color: var(--soft); }
picture img { width: 100%; height: auto; display: block; margin: .75rem 0; }
.wide { overflow-x: auto; }
table {
  border-collapse: collapse; font-size: .875rem; margin: .75rem 0;
  font-variant-numeric: tabular-nums;
}
caption { caption-side: bottom; text-align: left; padding-top: .5rem; }
th, td {
  padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line);
}
tbody th { font-weight: 500; }
th.n, td.n { text-align: right; white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
.isolation td, .isolation th { padding: .35rem .6rem; }
.isolation td { white-space: nowrap; line-height: 1.3; }
code { font: .8em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.s-unchanged { background: var(--good-ground); color: var(--good); }
.s-trained { background: var(--trained-ground); }
.s-new { background: var(--new-ground); }
.s-changed, .s-missing {
  background: var(--bad-ground); color: var(--bad); font-weight: 700;
}
.samples { display: flex; flex-wrap: wrap; gap: .75rem; }
.samples figure { margin: 0; width: 4.6rem; }
.samples img {
  width: 4.6rem; height: 4.6rem; display: block; border-radius: 4px;
  image-rendering: pixelated; border: 3px solid transparent;
}
.samples figcaption {
  font-size: .75rem; line-height: 1.25; margin-top: .2rem;
  overflow-wrap: anywhere;
}
.wrong img { border-color: var(--bad); }
.wrong figcaption { color: var(--bad); }
.note {
  background: var(--card); border-left: 3px solid var(--line);
  padding: .75rem 1rem; max-width: 44rem;
}
.note p { margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dl { font-size: .875rem; margin: .5rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.pair { display: grid; gap: 0 2.5rem; }
@media (min-width: 48rem) { .pair { grid-template-columns: 1fr 1fr; } }
"""
