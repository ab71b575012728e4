import { withPoint } from './render.ts';
import type { Report } from './run-report.ts';

/** What a reader of a bill has to know, a sentence each; nothing that is as it should be. */
export function renderNotes(report: Report): string[] {
  const { total, merged, problems, repeated } = report;
  const notes: string[] = [];
  const note = (count: number, text: string): void => {
    if (count > 0) notes.push(text);
  };
  note(
    problems,
    `NOT READ: ${plural(problems, 'line')}. What they told is missing; see the messages.`,
  );
  note(
    total.incomplete,
    `Incomplete: ${plural(total.incomplete, 'session')} with ${gb(total.incompleteBytes)} GB. They moved at least that much; coturn did not tell the rest.`,
  );
  note(
    total.startUnknown,
    `Start unknown: ${plural(total.startUnknown, 'session')} began before the exporter listened. Their bytes are counted, their minutes from then on.`,
  );
  note(
    total.unknown,
    `Relayed or not: unknown for ${plural(total.unknown, 'session')}, which the share leaves out.`,
  );
  note(
    merged.cutOff,
    `Cut off: ${plural(merged.cutOff, 'session')} that an exporter left when it stopped, and no record here tells how they went on. If that record is in another file, give both.`,
  );
  note(
    merged.continued,
    `Restarts: ${plural(merged.continued, 'session')} made one of the records before and after a stop of the exporter.`,
  );
  note(
    Number(total.uncertainBytes > 0n),
    `Uncertain: at such restarts up to ${gb(total.uncertainBytes)} GB more than counted may have been relayed.`,
  );
  note(
    merged.alike + merged.unlike,
    `Pair: ${plural(merged.alike, 'session')} recorded alike by both exporters, ${merged.unlike} not alike; of those the larger sums are counted.`,
  );
  note(repeated, `Repeated: ${plural(repeated, 'line')} of sessions that were counted before.`);
  return notes;
}

function plural(count: number, word: string): string {
  return `${count} ${count === 1 ? word : `${word}s`}`;
}

function gb(bytes: bigint): string {
  return withPoint(bytes, 9).slice(0, -6);
}
