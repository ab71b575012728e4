/**
 * What CHANGELOG.md says of a version, for its release.
 *
 * @throws {Error} when it says nothing
 */
export function releaseNotes(changelog: string, version: string): string {
  const [, ...sections] = changelog.split(/^## /m);
  const section = sections.find((each) => /^\S+/.exec(each)?.[0] === version);
  const notes = section?.split('\n').slice(1).join('\n').trim() ?? '';
  if (notes === '') throw new Error(`Cannot release ${version}: expected notes in CHANGELOG.md`);
  return `${notes}\n`;
}
