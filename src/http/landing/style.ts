/** The style sheet of the page. Text that is up to date has a contrast of 4.5 or more. */
export const STYLE: string = `
:root {
  color-scheme: light dark;
  --page: #f4f6f9; --card: #fff; --edge: #dfe4ec; --text: #1a2230; --quiet: #566176;
  --client: #2257c9; --peer: #a8500b; --plain: #52607a; --link: #1c4fbd;
  --good: #15803d; --waiting: #a16207; --bad: #c01f1f;
  --warn-page: #fff6e0; --warn-edge: #e5c46b; --code: #f0f3f8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e131a; --card: #161d27; --edge: #283242; --text: #e4e9f1; --quiet: #9aa7bb;
    --client: #7fabff; --peer: #f2a65a; --plain: #a3b1c8; --link: #8db4ff;
    --good: #4ade80; --waiting: #facc15; --bad: #ff8a8a;
    --warn-page: #2a2413; --warn-edge: #6b5a22; --code: #0e131a;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0 auto; padding: 28px 24px 40px; max-width: 1080px; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif;
  font-variant-numeric: tabular-nums;
}
header { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: end; margin-bottom: 20px; }
header > div { flex: 1 1 300px; }
h1 { margin: 0; font-size: 24px; line-height: 1.25; letter-spacing: -0.01em; }
h2 { margin: 0; font-size: 15px; font-weight: 600; }
p { margin: 4px 0 0; }
a { color: var(--link); text-underline-offset: 3px; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 3px; border-radius: 2px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; }
.quiet, small { color: var(--quiet); }
.quiet { font-size: 13.5px; }
.card, .setup { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 16px 18px; }
main > *, .pair > * { margin-bottom: 16px; min-width: 0; }
.cards { display: grid; grid-template-columns: repeat(4, 1fr); gap: 16px; }
.cards .card { display: grid; padding-bottom: 12px; }
.cards h2 { color: var(--quiet); font-size: 13.5px; font-weight: 500; }
.cards b { font-size: 24px; line-height: 1.35; letter-spacing: -0.01em; font-weight: 600; }
.cards .spark { width: 100%; height: 40px; margin-top: 6px; }
.pair { display: grid; grid-template-columns: 3fr 2fr; gap: 16px; align-items: start; margin-bottom: 0; }
.setup { background: var(--warn-page); border-color: var(--warn-edge); }
.setup pre { margin: 10px 0 0; padding: 10px 12px; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border-radius: 6px; }
code { font: 14px/1.5 ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
#away:empty { display: none; }
#away { padding: 10px 14px; border: 1px solid var(--bad); border-radius: 10px; color: var(--bad); font-weight: 600; }
.stale .cards, .stale .card { opacity: 0.75; }
.stale .cards .card { opacity: 1; }
table { width: 100%; border-collapse: collapse; margin-top: 10px; }
th, td { padding: 9px 12px 9px 0; text-align: left; vertical-align: middle; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { padding-top: 0; padding-bottom: 6px; color: var(--quiet); font-size: 13px; }
tbody tr { border-top: 1px solid var(--edge); }
.number { text-align: right; white-space: nowrap; }
.name { overflow-wrap: anywhere; min-width: 8em; }
.name[data-name=true] { font-weight: 600; }
.name[data-name=false] { color: var(--quiet); font-style: italic; }
small { display: block; font-size: 12.5px; font-weight: 400; line-height: 1.4; }
td .side { display: flex; align-items: center; gap: 12px; }
td .side .spark { flex: 1 1 90px; min-width: 60px; height: 34px; }
td .side span { flex: 0 0 13em; }
td b { font-weight: 600; white-space: nowrap; }
thead .side::before { content: ''; display: inline-block; width: 9px; height: 9px; margin-right: 6px; border-radius: 2px; background: currentColor; }
.client { color: var(--client); } .peer { color: var(--peer); } .plain { color: var(--plain); }
.spark { display: block; overflow: visible; border-bottom: 1px solid var(--edge); }
.spark .line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.spark .area { fill: currentColor; opacity: 0.14; }
.bar { display: block; width: 100%; height: 6px; margin-top: 4px; fill: var(--plain); background: var(--code); border-radius: 3px; }
.bars td { vertical-align: bottom; width: 5em; }
.state { white-space: nowrap; font-weight: 600; }
.state::before { content: ''; display: inline-block; width: 9px; height: 9px; margin-right: 7px; border-radius: 50%; background: currentColor; }
.state[data-state=up] { color: var(--good); } .state[data-state=waiting] { color: var(--waiting); } .state[data-state=down] { color: var(--bad); }
.notes { margin-top: 16px; padding: 0 4px; max-width: 76ch; }
@media (max-width: 1040px) {
  td .side { display: block; }
  td .side .spark { width: 100%; height: 26px; margin-bottom: 4px; }
}
@media (max-width: 860px) {
  .cards { grid-template-columns: 1fr 1fr; }
  .pair { grid-template-columns: 1fr; gap: 0; }
  .pair > div { display: contents; }
  .pair .notes { order: 1; }
  .pair .card { margin-bottom: 16px; }
  .wide { display: none; }
}
@media (max-width: 520px) {
  body { padding: 18px 12px 28px; }
  .cards { gap: 10px; }
  main > *, .pair > *, .pair .card { margin-bottom: 10px; }
  .card, .setup { padding: 12px; }
  .cards b { font-size: 20px; }
  th, td { padding-right: 9px; }
  .name { min-width: 5.5em; }
  .state, .number { white-space: normal; }
  td { overflow-wrap: anywhere; }
  td .side small { display: none; }
  .realms thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .realms, .realms tbody { display: block; }
  .realms tr { display: grid; grid-template-columns: repeat(6, 1fr); gap: 6px 9px; padding: 10px 0; }
  .realms th { grid-column: span 4; } .realms td.number { grid-column: span 2; } .realms td[data-side] { grid-column: span 3; }
  .realms th, .realms td { padding: 0; }
  .realms td.number::after { content: ' sessions'; color: var(--quiet); font-size: 13px; }
  .realms td[data-side]::before { content: attr(data-side); color: var(--quiet); font-size: 13px; }
}
`;
