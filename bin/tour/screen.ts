import { stripVTControlCharacters } from 'node:util';

/** Where the tour is shown: a terminal with colours and lines that move, or plain text without a single control character. */
export interface Screen {
  /** Lines can be drawn over. */
  readonly isLive: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly paint: Record<Style, (text: string) => string>;
  write(text: string): void;
  line(text?: string): void;
  /** A heading, with what belongs to it in faint letters. */
  title(text: string, aside?: string): void;
  /** Columns as wide as they need, cut where the terminal ends; words between **asterisks** are bold, or keep one asterisk. */
  table(head: string[], rows: string[][]): void;
}

const styles = { bold: [1, 22], faint: [2, 22], red: [31, 39], green: [32, 39], cyan: [36, 39] } as const;
type Style = keyof typeof styles;

/** The part of `process.stdout` that a screen needs. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export function createScreen(output: Output, environment: Record<string, string | undefined>): Screen {
  const isLive = Boolean(output.isTTY) && environment['TERM'] !== 'dumb';
  const isColored = isLive && !environment['NO_COLOR'];
  const painter = ([on, off]: readonly [number, number]) => (text: string) => (isColored ? `\x1b[${on}m${text}\x1b[${off}m` : text);
  const paint = { bold: painter(styles.bold), faint: painter(styles.faint), red: painter(styles.red), green: painter(styles.green), cyan: painter(styles.cyan) };

  const screen: Screen = {
    isLive,
    paint,
    get columns() {
      return isLive ? (output.columns ?? 80) : Infinity;
    },
    get rows() {
      return output.rows ?? 24;
    },
    write: (text) => void output.write(text),
    line: (text = '') => void output.write(`${text}\n`),
    title: (text, aside) => screen.line(`\n${paint.bold(text)}${aside ? `  ${paint.faint(aside)}` : ''}`),
    table(head, rawRows) {
      const rows = rawRows.map((cells) => cells.map((cell) => printable(cell).replace(/\*\*(.+?)\*\*/g, (_, words: string) => (isColored ? paint.bold(words) : `*${words}*`))));
      const widths = head.map((name, column) => Math.max(...[name, ...rows.map((row) => row[column] ?? '')].map(widthOf)));
      const row = (cells: string[]) => cut(`  ${cells.map((cell, column) => pad(cell, widths[column] ?? 0)).join('  ')}`.trimEnd(), screen.columns - 1);
      screen.line(paint.faint(row(head)));
      rows.forEach((cells) => screen.line(row(cells)));
    },
  };
  return screen;
}

/** A name from outside as one line of text: what could move the cursor is replaced. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\ufffd');

const wide = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const cellsOf = (character: string) => (/^\p{M}$/u.test(character) ? 0 : wide.test(character) ? 2 : 1);

/** Cells that the text takes on a terminal. */
export const widthOf = (text: string): number => [...stripVTControlCharacters(text)].reduce((sum, character) => sum + cellsOf(character), 0);

export const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - widthOf(text)));

/** At most so many cells, with … where something is missing. Styles end where they ended. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let room = width - 1;
  // eslint-disable-next-line no-control-regex -- the styles made above
  const parts = text.match(/\x1b\[\d+m|./gsu) ?? [];
  const kept = parts.map((part) => {
    if (part.startsWith('\x1b')) return part;
    room -= room < 0 ? 0 : cellsOf(part);
    return room < 0 ? '' : part;
  });
  return `${kept.join('')}…`;
}
