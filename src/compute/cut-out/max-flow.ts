const FREE = 0;
const SOURCE = 1;
const SINK = 2;
const NO_PARENT = -1;
const TERMINAL = 8;
const ORPHAN = 9;

/**
 * Gives the cheapest way to cut a grid in two: 1 for each pixel that stays with the source, 0 for the sink.
 * Positive `terminals` are what the source would pay for the pixel, negative ones what the sink would.
 */
export type Cut = (terminals: Int32Array) => Uint8Array;

/**
 * A grid to be cut, for one set of terminals after another. Each cut goes on from the flow of the one before, which changes how long it takes and not what it gives.
 * `links[pixel * 8 + direction]`: what it costs to part a pixel from its neighbour, directions from the upper left to the lower right, row by row; whole numbers.
 * Sources: Boykov & Kolmogorov, "An Experimental Comparison of Min-Cut/Max-Flow Algorithms" (PAMI 2004); Kohli & Torr, "Dynamic Graph Cuts for Efficient Inference
 * in Markov Random Fields" (PAMI 2007) for the flow that is kept.
 */
export function grid(width: number, height: number, links: Int32Array): Cut {
  // A frame of pixels without links spares every test for the edge of the grid.
  const stride = width + 2;
  const count = stride * (height + 2);
  const offsets = [-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1];
  /** What the terminal of each node has left to give, after the flow that already runs. */
  const rest = new Int32Array(count);
  const given = new Int32Array(width * height);
  const capacity = new Int32Array(count * 8);
  const tree = new Uint8Array(count);
  const parent = new Int8Array(count);
  const stamp = new Int32Array(count);
  const depth = new Int32Array(count);
  const isQueued = new Uint8Array(count);
  const active = new Int32Array(count + 1);
  let head = 0;
  let tail = 0;
  let time = 0;
  const orphans: number[] = [];

  const activate = (node: number) => {
    if (isQueued[node]) return;
    isQueued[node] = 1;
    active[tail] = node;
    tail = tail === count ? 0 : tail + 1;
  };
  const orphan = (node: number) => {
    parent[node] = ORPHAN;
    orphans.push(node);
  };

  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const pixel = y * width + x;
    const node = (y + 1) * stride + x + 1;
    for (let d = 0; d < 8; d++) capacity[node * 8 + d] = links[pixel * 8 + d]!;
  }

  /** How much the sinks further along the line can take from each node. */
  const room = new Int32Array(count);
  /** Straight ways need no trees: along every line of one direction each pixel passes on as much as is taken further along. What is not taken after all stays where it has come to, and the source gives it there. */
  function sweep(d: number): void {
    const step = offsets[d]!;
    const [first, last, next] = step > 0 ? [stride, count - stride - 1, 1] : [count - stride - 1, stride, -1];
    for (let node = last; node !== first - next; node -= next) {
      const own = rest[node]!;
      const further = Math.min(capacity[node * 8 + d]!, room[node + step]!);
      room[node] = own < 0 ? further - own : further;
    }
    for (let node = first; node !== last + next; node += next) {
      const left = rest[node]!;
      if (left <= 0) continue;
      const other = node + step;
      const flow = Math.min(left, capacity[node * 8 + d]!, room[other]!);
      if (flow <= 0) continue;
      rest[node] = left - flow;
      rest[other]! += flow;
      capacity[node * 8 + d]! -= flow;
      capacity[other * 8 + 7 - d]! += flow;
    }
  }

  /** Both trees begin at their terminals. */
  function plant(terminals: Int32Array): void {
    tree.fill(FREE);
    parent.fill(NO_PARENT);
    stamp.fill(0);
    time = 0;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      rest[(y + 1) * stride + x + 1]! += terminals[pixel]! - given[pixel]!;
      given[pixel] = terminals[pixel]!;
    }
    for (let d = 0; d < 8; d++) sweep(d);
    for (let node = stride; node < count - stride; node++) {
      const left = rest[node]!;
      if (left === 0) continue;
      tree[node] = left > 0 ? SOURCE : SINK;
      parent[node] = TERMINAL;
      depth[node] = 1;
      activate(node);
    }
  }

  /** Grows the tree of an active node; gives the link over which it met the other tree, seen from the source's side, or -1. */
  function grow(node: number): number {
    const own = tree[node]!;
    for (let d = 0; d < 8; d++) {
      const other = node + offsets[d]!;
      const room = own === SOURCE ? capacity[node * 8 + d]! : capacity[other * 8 + 7 - d]!;
      if (room <= 0) continue;
      if (tree[other] === FREE) {
        tree[other] = own;
        parent[other] = 7 - d;
        stamp[other] = stamp[node]!;
        depth[other] = depth[node]! + 1;
        activate(other);
      } else if (tree[other] !== own) {
        return own === SOURCE ? node * 8 + d : other * 8 + 7 - d;
      } else if (stamp[other]! <= stamp[node]! && depth[other]! > depth[node]!) {
        parent[other] = 7 - d;
        stamp[other] = stamp[node]!;
        depth[other] = depth[node]! + 1;
      }
    }
    return -1;
  }

  function augment(link: number): void {
    const from = link >> 3;
    const to = from + offsets[link & 7]!;
    let flow = capacity[link]!;
    let node = from;
    for (; parent[node] !== TERMINAL; node += offsets[parent[node]!]!) {
      const up = parent[node]!;
      flow = Math.min(flow, capacity[(node + offsets[up]!) * 8 + 7 - up]!);
    }
    flow = Math.min(flow, rest[node]!);
    for (node = to; parent[node] !== TERMINAL; node += offsets[parent[node]!]!) flow = Math.min(flow, capacity[node * 8 + parent[node]!]!);
    flow = Math.min(flow, -rest[node]!);

    capacity[link]! -= flow;
    capacity[to * 8 + 7 - (link & 7)]! += flow;
    for (node = from; parent[node] !== TERMINAL;) {
      const up = parent[node]!;
      const above = node + offsets[up]!;
      const down = above * 8 + 7 - up;
      capacity[node * 8 + up]! += flow;
      if ((capacity[down]! -= flow) === 0) orphan(node);
      node = above;
    }
    if ((rest[node]! -= flow) === 0) orphan(node);
    for (node = to; parent[node] !== TERMINAL;) {
      const up = parent[node]!;
      const above = node + offsets[up]!;
      capacity[above * 8 + 7 - up]! += flow;
      if ((capacity[node * 8 + up]! -= flow) === 0) orphan(node);
      node = above;
    }
    if ((rest[node]! += flow) === 0) orphan(node);
  }

  /** Steps from a node to its terminal, or Infinity where the way ends at an orphan. Nodes on a good way remember it. */
  function origin(start: number): number {
    let steps = 0;
    let node = start;
    for (;;) {
      if (stamp[node] === time) {
        steps += depth[node]!;
        break;
      }
      const up = parent[node]!;
      steps++;
      if (up === TERMINAL) {
        stamp[node] = time;
        depth[node] = 1;
        break;
      }
      if (up === ORPHAN || up === NO_PARENT) return Infinity;
      node += offsets[up]!;
    }
    let left = steps;
    for (node = start; stamp[node] !== time; node += offsets[parent[node]!]!) {
      stamp[node] = time;
      depth[node] = left--;
    }
    return steps;
  }

  function adopt(node: number): void {
    const own = tree[node]!;
    let best = NO_PARENT;
    let fewest = Infinity;
    for (let d = 0; d < 8; d++) {
      const other = node + offsets[d]!;
      const room = own === SOURCE ? capacity[other * 8 + 7 - d]! : capacity[node * 8 + d]!;
      if (room <= 0 || tree[other] !== own || parent[other] === NO_PARENT) continue;
      const steps = origin(other);
      if (steps < fewest) {
        fewest = steps;
        best = d;
      }
    }
    if (best !== NO_PARENT) {
      parent[node] = best;
      stamp[node] = time;
      depth[node] = fewest + 1;
      return;
    }
    parent[node] = NO_PARENT;
    for (let d = 0; d < 8; d++) {
      const other = node + offsets[d]!;
      if (tree[other] !== own) continue;
      const room = own === SOURCE ? capacity[other * 8 + 7 - d]! : capacity[node * 8 + d]!;
      if (room > 0) activate(other);
      if (parent[other] === 7 - d) orphan(other);
    }
    tree[node] = FREE;
  }

  return (terminals) => {
    plant(terminals);
    while (head !== tail) {
      const node = active[head]!;
      let link = -1;
      if (tree[node] !== FREE) link = grow(node);
      if (link < 0) {
        head = head === count ? 0 : head + 1;
        isQueued[node] = 0;
        continue;
      }
      time++;
      augment(link);
      for (let i = 0; i < orphans.length; i++) adopt(orphans[i]!);
      orphans.length = 0;
    }

    const side = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      side[y * width + x] = tree[(y + 1) * stride + x + 1] === SOURCE ? 1 : 0;
    }
    return side;
  };
}
