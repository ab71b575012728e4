import { SPARKLINE_HEIGHT, SPARKLINE_WIDTH } from './sparkline.ts';

/** Text made harmless in HTML: names of realms and servers come from outside. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/**
 * An element that shows a field, marked so that the script of the page finds it:
 * `<b data-text="sessions">12</b>`.
 */
export function textElement<Name extends string>(
  tag: string,
  fields: Readonly<Record<Name, string>>,
  name: Name,
): string {
  return `<${tag} data-text="${name}">${escapeHtml(fields[name])}</${tag.split(' ')[0]}>`;
}

/**
 * Attributes that show fields, marked so that the script of the page finds them:
 * `data-state="up" data-attributes="data-state:state"`.
 */
export function attributes<Name extends string>(
  fields: Readonly<Record<Name, string>>,
  names: Readonly<Record<string, Name>>,
): string {
  const pairs = Object.entries(names);
  const values = pairs.map(([attribute, name]) => `${attribute}="${escapeHtml(fields[name])}"`);
  const marks = pairs.map(([attribute, name]) => `${attribute}:${name}`);
  return `${values.join(' ')} data-attributes="${marks.join(' ')}"`;
}

/** The fields of a graph. */
export type GraphName<Prefix extends string> = `${Prefix}${'Line' | 'Area' | 'Label'}`;

/**
 * The sparkline in the fields `<prefix>Line`, `<prefix>Area` and `<prefix>Label`.
 *
 * @param colour the class that gives it its colour
 */
export function sparkline<Prefix extends string>(
  fields: Readonly<Record<GraphName<Prefix>, string>>,
  prefix: Prefix,
  colour: string,
): string {
  const label = attributes<GraphName<Prefix>>(fields, { 'aria-label': `${prefix}Label` });
  const area = attributes<GraphName<Prefix>>(fields, { d: `${prefix}Area` });
  const line = attributes<GraphName<Prefix>>(fields, { d: `${prefix}Line` });
  const viewBox = `0 0 ${SPARKLINE_WIDTH} ${SPARKLINE_HEIGHT}`;
  return `<svg class="spark ${colour}" viewBox="${viewBox}" preserveAspectRatio="none" role="img" ${label}><path class="area" ${area}/><path class="line" ${line}/></svg>`;
}

/**
 * A list whose rows the script of the page can make too: from the template, which is the row of
 * fields without text.
 *
 * @param names every field of a row
 */
export function list<Name extends string>(
  tag: string,
  rows: ReadonlyArray<Readonly<Record<Name, string>>>,
  {
    name,
    names,
    row,
  }: {
    readonly name: string;
    readonly names: readonly Name[];
    readonly row: (fields: Readonly<Record<Name, string>>) => string;
  },
): string {
  const empty = Object.fromEntries(names.map((field) => [field, ''])) as Record<Name, string>;
  const template = `<template>${row(empty)}</template>`;
  return `<${tag} data-list="${name}">${template}${rows.map(row).join('')}</${tag.split(' ')[0]}>`;
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
