import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startProgram } from './fixtures/program.ts';

test('the first query of the README answers as it says, when its commands are pasted as they are', async () => {
  const section = /^## A first query$(.*?)^The jobs of/ms.exec(await readFile('README.md', 'utf8'))?.[1] ?? '';
  const [, commands = ''] = [...section.matchAll(/```sh\n(.*?)```/gs)].map(([, text]) => text!);
  const answer = JSON.parse(/```json\n(.*?)```/s.exec(section)?.[1] ?? '');
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-readme-'));
  const program = await startProgram({ DATA_DIR: dataDir });
  try {
    const pasted = commands.replaceAll('localhost:4000', new URL(program.url).host).replaceAll(/^curl /gm, 'curl -sS -w "\\n" ');
    const { stdout } = await promisify(execFile)('sh', ['-c', pasted]);
    const [uploaded, found] = stdout.trim().split('\n').map((line) => JSON.parse(line));
    expect(uploaded).toMatchObject({ data: { uploadImages: { jobs: [{ status: 'COMPLETED' }], results: [{}] } } });
    const [edge] = answer.data.searchImages.edges;
    expect(found.data).toEqual({ searchImages: { edges: [{ ...edge, score: expect.closeTo(edge.score, 5) }] } });
  } finally {
    await program.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 90_000);
