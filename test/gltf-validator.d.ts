/** Khronos' validator brings no types: what the tests use of it. */
declare module 'gltf-validator' {
  interface Report {
    issues: { numErrors: number; numWarnings: number; messages: { code: string; message: string; severity: number }[] };
    info: { totalTriangleCount: number; totalVertexCount: number };
  }
  export function validateBytes(bytes: Uint8Array): Promise<Report>;
}
