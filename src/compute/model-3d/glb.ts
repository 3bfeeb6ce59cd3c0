import { Document, WebIO } from '@gltf-transform/core';
import type { Mesh } from './mesh.ts';

/** One mesh with one texture as binary glTF 2.0. `texture` is a JPEG. */
export async function writeGlb(name: string, { positions, normals, uvs, indices }: Mesh, texture: Uint8Array): Promise<Uint8Array> {
  const document = new Document();
  document.getRoot().getAsset().generator = 'Darkroom';
  const buffer = document.createBuffer();
  const image = document.createTexture('picture').setMimeType('image/jpeg').setImage(texture);
  // A photograph has its own lights: a surface that shines would add more.
  const material = document.createMaterial('picture').setBaseColorTexture(image).setMetallicFactor(0).setRoughnessFactor(0.95);
  const accessor = (type: 'SCALAR' | 'VEC2' | 'VEC3', values: Float32Array | Uint16Array | Uint32Array) => document.createAccessor().setType(type).setArray(values).setBuffer(buffer);
  const isSmall = positions.length / 3 < 65_535;
  const primitive = document
    .createPrimitive()
    .setAttribute('POSITION', accessor('VEC3', positions))
    .setAttribute('NORMAL', accessor('VEC3', normals))
    .setAttribute('TEXCOORD_0', accessor('VEC2', uvs))
    .setIndices(accessor('SCALAR', isSmall ? Uint16Array.from(indices) : indices))
    .setMaterial(material);
  const node = document.createNode(name).setMesh(document.createMesh(name).addPrimitive(primitive));
  document.getRoot().setDefaultScene(document.createScene(name).addChild(node));
  return new WebIO().writeBinary(document);
}
