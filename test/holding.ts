import type { Nudge, Queue } from '../src/queue/queue.ts';

/** A handler that holds every nudge until it is let go, and remembers what it saw. */
export function holding() {
  const heard: Nudge[] = [];
  const held = new Set<() => void>();
  let most = 0;
  let open = false;
  return {
    heard,
    get running() {
      return held.size;
    },
    get most() {
      return most;
    },
    async handler(nudge: Nudge) {
      heard.push(nudge);
      if (open) return;
      let letGo = () => {};
      const hold = new Promise<void>((resolve) => (letGo = resolve));
      held.add(letGo);
      most = Math.max(most, held.size);
      await hold;
      held.delete(letGo);
    },
    letGo() {
      for (const go of held) go();
    },
    open() {
      open = true;
      this.letGo();
    },
  };
}
export const ringMany = (queue: Queue, count: number, name = 'job') =>
  Promise.all(Array.from({ length: count }, (_, index) => queue.ring({ jobId: `${name}-${index}`, attempt: 0 })));
