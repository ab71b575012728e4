/** The longest label value, in UTF-16 units (design, section 5). */
export const MAX_LABEL_LENGTH = 128;

/**
 * A label value made of text that a client may have chosen: cut at {@link MAX_LABEL_LENGTH} and
 * well-formed, so that it is valid UTF-8 on the wire. Escaping belongs to the exposition format.
 */
export function labelOf(text: string): string {
  if (text.length <= MAX_LABEL_LENGTH) return text.toWellFormed();
  const last = text.charCodeAt(MAX_LABEL_LENGTH - 1);
  // A high surrogate at the cut would lose its other half.
  const end = last >= 0xd800 && last <= 0xdbff ? MAX_LABEL_LENGTH - 1 : MAX_LABEL_LENGTH;
  return text.slice(0, end).toWellFormed();
}
