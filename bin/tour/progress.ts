import { cut, pad, printable, widthOf, type Screen } from './screen.ts';

export interface Progress {
  /** What is true of one file now; what has ended stays so. */
  show(index: number, state: Partial<FileState>): void;
  /** Draws the last state and leaves it on the screen. */
  end(): void;
}

export interface FileState {
  percent: number;
  stage: string;
  outcome: 'done' | 'failed' | 'refused' | null;
  /** What became of it, in a sentence. */
  note: string;
}

const drawEveryMs = 80;
const marks = { done: '✓', failed: '✗', refused: '–' };

/** A bar per file, redrawn in place; without a terminal a line per file that has ended. */
export function createProgress(screen: Screen, names: string[]): Progress {
  const states = names.map((): FileState => ({ percent: 0, stage: '', outcome: null, note: '' }));
  const nameCells = Math.min(36, Math.max(...names.map((name) => widthOf(printable(name)))));
  let ended = 0;
  let firstLive = 0;
  let drawnLines = 0;
  let timer: NodeJS.Timeout | undefined;

  function bar(index: number): string {
    const { percent, stage, outcome, note } = states[index]!;
    const { paint, columns } = screen;
    const barCells = columns < 100 ? 10 : 20;
    const filled = Math.round((percent / 100) * barCells);
    const color = outcome === 'done' ? paint.green : outcome ? paint.red : paint.cyan;
    const mark = outcome ? color(marks[outcome]) : ' ';
    const name = pad(cut(printable(names[index]!), nameCells), nameCells);
    return `${mark} ${name}  ${color('█'.repeat(filled))}${paint.faint('░'.repeat(barCells - filled))} ${String(percent).padStart(3)} %  ${outcome ? printable(note) : paint.faint(stage)}`;
  }

  /** Bars that have ended leave at the top when there are more than the terminal is high; those that wait below are counted. */
  function draw(isLast = false): void {
    timer = undefined;
    const room = isLast ? Infinity : Math.max(3, screen.rows - 3);
    let text = drawnLines > 0 ? `\x1b[${drawnLines}A` : '';
    const put = (line: string) => (text += `\x1b[2K${cut(line, screen.columns - 1)}\n`);
    for (; names.length - firstLive > room && states[firstLive]!.outcome; firstLive++) put(bar(firstLive));
    const shown = names.slice(firstLive, firstLive + room);
    shown.forEach((_, offset) => put(bar(firstLive + offset)));
    const hidden = names.length - firstLive - shown.length;
    put(screen.paint.faint(`  ${ended} of ${names.length}${hidden > 0 ? `, ${hidden} more below` : ''}`));
    screen.write(`${text}\x1b[J`);
    drawnLines = shown.length + 1;
  }

  return {
    show(index, state) {
      if (states[index]!.outcome) return;
      Object.assign(states[index]!, state);
      const { outcome, note } = states[index]!;
      if (outcome) {
        ended++;
        if (!screen.isLive) screen.line(`[${String(ended).padStart(String(names.length).length)}/${names.length}] ${marks[outcome]} ${pad(printable(names[index]!), nameCells)}  ${printable(note)}`);
      }
      if (screen.isLive) timer ??= setTimeout(draw, drawEveryMs);
    },
    end() {
      clearTimeout(timer);
      if (screen.isLive) draw(true);
    },
  };
}
