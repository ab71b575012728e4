import { SPARKLINE_HEIGHT, SPARKLINE_WIDTH } from './landing-sparkline.ts';

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
