/** What {@link html} takes: text is escaped, markup is not; a list is joined. */
export type HtmlValue = string | Markup | readonly Markup[];

/** Text that is HTML already; made by {@link html} only. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** HTML with every text in it made harmless: names of realms and sources come from outside. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Markup {
  let text = parts[0] ?? '';
  for (const [index, value] of values.entries()) text += textOf(value) + (parts[index + 1] ?? '');
  return new Markup(text);
}

function textOf(value: HtmlValue): string {
  if (value instanceof Markup) return value.text;
  return typeof value === 'string' ? escapeHtml(value) : value.map(({ text }) => text).join('');
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

const UNITS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'] as const;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** Bits per second for people, with three digits: `24.1 Mbit/s`. */
export function formatBits(bitsPerSecond: number): string {
  let value = bitsPerSecond;
  let unit = 0;
  // 999.5 would be shown as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : threeDigits(value)} ${UNITS[unit]}`;
}

/** A number per second: `0.3`, `41.7`, `20,132`; `0` only where nothing happened. */
export function formatRate(perSecond: number): string {
  if (perSecond <= 0) return '0';
  if (perSecond < 0.1) return '< 0.1';
  return perSecond < 99.95 ? perSecond.toFixed(1) : formatCount(Math.round(perSecond));
}

/** A whole number with separators between thousands. `toLocaleString` takes a hundred times as long. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** A length of time in its largest unit, rounded down: `42 s`, `3 min`, `5 h`, `12 days`. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < MINUTE_S) return `${seconds} s`;
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min`;
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)} h`;
  const days = Math.floor(seconds / DAY_S);
  return days === 1 ? '1 day' : `${days} days`;
}

/** {@link formatAge} of what happened: `42 s ago`, or `just now`. */
export function formatSince(ageMs: number): string {
  return ageMs < 1000 ? 'just now' : `${formatAge(ageMs)} ago`;
}

function threeDigits(value: number): string {
  if (value < 9.995) return value.toFixed(2);
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}
